"""`darkroom retrain`: nothing where there is nothing new, a run where there is, which goes on from the last blessed model."""

from __future__ import annotations

import fcntl
import importlib.util
import json
from pathlib import Path

import pytest

from tests.hook import hook
from tests.project import darkroom, last_verdict, write_discs
from tests.test_post_run import SECRETS, files_with_a_secret, metric

SETTINGS = ("training.epochs=4", "training.batch_size=32", "training.warm_start=true", "evaluation.max_drop=100")


def runs(work: Path) -> int:
    """Return the number of runs."""
    return len(list(work.glob("runs/*")))


def trained(work: Path) -> dict:
    """Return what the last run's Trainer wrote, and its learning curve."""
    model = Path(last_verdict(work)["model"]["artifact"])
    newest = max((work / "artifacts/Trainer/model_run").iterdir(), key=lambda path: int(path.name))
    curve = [json.loads(line) for line in (newest / "history.jsonl").read_text().splitlines()]
    return {**json.loads((model / "metrics.json").read_text()), "curve": curve}


@pytest.mark.slow
def test_spans_one_after_another_with_everything_switched_on(tmp_path):
    pictures, work, records = tmp_path / "pictures", tmp_path / "work", tmp_path / "mlruns"
    recorded = importlib.util.find_spec("mlflow") is not None
    given = ("--images", f"{pictures}/span-{{SPAN}}", "--work", work, *(f"--set={value}" for value in SETTINGS))
    with hook() as server:
        tell = ("--set", f"notify.webhook={server.address}/{SECRETS[0]}/${{HOOK_KEY}}")
        keep = ("--set", f"mlflow.tracking_uri={records}") if recorded else ()

        def retrain(*more):
            return darkroom("retrain", *given, *keep, *more, HOOK_KEY=SECRETS[1])

        write_discs(pictures / "span-1", 120)
        first = retrain(*tell)
        assert (first.status, first.err) == (0, ""), first
        assert metric(work, "served_version") == 1 and metric(work, "runs", outcome="pushed") == 1
        assert 0 <= metric(work, "served_age_seconds") < 600
        looked = metric(work, "retrain_looked_timestamp_seconds")
        once = trained(work)
        assert not once["warm_start"]

        # Another address to tell is no reason to train.
        again = retrain("--set", "notify.webhook=https://h.invalid/x")
        assert (again.status, again.err) == (0, "") and runs(work) == 1
        assert (
            again.out
            == "nothing new: the 120 pictures in span 1 and the configuration are those of the last run, which ended as pushed\n"
        )
        assert metric(work, "retrain_looked_timestamp_seconds") > looked and metric(work, "run_outcome", outcome="pushed") == 1
        same = darkroom("run", *given)
        assert same.status == 0 and same.states()["Trainer"] == "cached", same.out
        count = runs(work)

        write_discs(pictures / "span-2", 120, seed=1)
        with (work / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            busy = retrain()
            assert busy.status == 4 and len(busy.err.splitlines()) == 1 and runs(work) == count
        assert retrain(*tell).status == 0 and runs(work) == count + 1
        verdict = last_verdict(work)
        assert verdict["baseline"], "judged against the model of the span before"
        assert verdict["data"]["span"] == 2
        assert 0 < metric(work, "drift_divergence", feature="image/mean") < 0.3
        assert metric(work, "figure_nats", model="baseline", figure="elbo") == verdict["baseline"]["elbo"]
        twice = trained(work)
        assert twice["warm_start"]
        assert twice["curve"][0]["eval"]["elbo"] > once["curve"][0]["eval"]["elbo"], (
            "its first epoch begins where the other had ended"
        )
        assert retrain().out.startswith("nothing new: the 120 pictures in span 2 and")
        same = darkroom("run", *given)
        assert same.status == 0 and same.states()["Trainer"] == "cached", same.out
        lineage = darkroom("lineage", 2, "--work", work).out
        assert f"started from: {work}/artifacts/Trainer/model/" in lineage
        assert "started from: nothing" in darkroom("lineage", 1, "--work", work).out
        other = darkroom("run", *given, "--set", "model.latent_dim=3")
        assert other.status == 0 and not trained(work)["warm_start"], "other networks start anew"
        count = runs(work)

        # Refused by the gate: not tried again until there is something else.
        write_discs(pictures / "span-3", 120, invert=True)
        assert retrain(*tell).status == 3 and runs(work) == count + 1
        assert metric(work, "drift_divergence", feature="image/mean") > 0.3
        assert metric(work, "runs", outcome="refused") == 1 and metric(work, "served_version") == 3
        again = retrain()
        assert again.status == 0 and "ended as refused" in again.out and runs(work) == count + 1
        # Another configuration is something new.
        assert retrain("--set", "training.epochs=1").status == 3 and runs(work) == count + 2
    assert [body["outcome"] for *_, body in server.received] == ["pushed", "pushed", "refused"]
    assert files_with_a_secret(work) == [] and (not recorded or files_with_a_secret(records) == [])
    if recorded:
        assert len(list(records.glob("*/*/artifacts/verdict.json"))) == 2, "the refused pictures trained nothing"
        assert len(list(records.glob("*/*/artifacts/report/index.html"))) == 2


def test_no_pictures_are_a_mistake(tmp_path):
    ended = darkroom("retrain", "--images", tmp_path / "nowhere", "--work", tmp_path / "work")
    assert ended.status == 2 and "nowhere" in ended.err and len(ended.err.splitlines()) == 1
