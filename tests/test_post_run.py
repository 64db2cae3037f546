"""Runs with somebody to tell: what arrives, what is measured, and that no file of the work folder holds a secret."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import yaml
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from tests.hook import hook
from tests.project import darkroom, last_verdict, write_discs

SECRETS = ("hush-in-the-address", "hush-in-the-environment")
SETTINGS = ("--set", "training.epochs=2", "--set", "training.batch_size=32", "--set", "evaluation.max_drop=100")


def files_with_a_secret(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [(path, secret) for path in paths for secret in SECRETS if secret.encode() in path.read_bytes()]


def metric(work, name, **labels):
    families = text_string_to_metric_families((work / "metrics.prom").read_text())
    samples = [sample for family in families for sample in family.samples if sample.name == f"darkroom_{name}"]
    return next((sample.value for sample in samples if sample.labels == {"work": work.name, **labels}), None)


def write_black(folder, count):
    """Pictures that are black but for one pixel, so that none is a copy of another."""
    folder.mkdir()
    for i in range(count):
        levels = np.zeros((12, 12), np.uint8)
        levels[divmod(i, 12)] = 40
        Image.fromarray(levels).save(folder / f"{i}.png")


@pytest.mark.slow
def test_a_refused_run_is_told_of_and_stays_refused_whatever_becomes_of_telling(tmp_path):
    work, config = tmp_path / "work", tmp_path / "c.yaml"
    write_black(tmp_path / "pictures", 100)
    with hook(status=500) as server:
        config.write_text(
            f"notify:\n"
            f"  webhook: {server.address}/{SECRETS[0]}?key=${{HOOK_KEY}}\n"
            f"  command: [sh, -c, 'echo said by the command; cat > {tmp_path}/told.json; exit 3']\n"
        )
        ended = darkroom("run", "--images", tmp_path / "pictures", "--work", work, "--config", config, HOOK_KEY=SECRETS[1])
    assert ended.status == 3, ended
    warnings = [line for line in ended.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2 and "500" in warnings[0] + warnings[1] and "status 3" in warnings[0] + warnings[1]
    assert ended.err.splitlines()[-1].startswith("refused by the data gate") and "said by" not in ended.out + ended.err
    verdict = last_verdict(work)
    ((_, path, kind, body),) = server.received
    assert (path, kind, body) == (f"/{SECRETS[0]}?key={SECRETS[1]}", "application/json", verdict)
    assert json.loads((tmp_path / "told.json").read_text()) == verdict
    (run,) = work.glob("runs/*")
    assert "said by the command" in (run / "log.txt").read_text()
    assert yaml.safe_load((run / "config.yaml").read_text())["notify"]["webhook"] == server.address
    assert files_with_a_secret(work) == [] and not [secret for secret in SECRETS if secret in ended.out + ended.err]
    assert metric(work, "run_outcome", outcome="refused") == 1 and metric(work, "run_exit_status") == 3
    assert metric(work, "pictures", split="train") == verdict["data"]["pictures"]["train"]
    assert metric(work, "served_version") is None


@pytest.mark.slow
def test_retraining_with_everything_switched_on(tmp_path):
    pictures, work, records = tmp_path / "pictures", tmp_path / "work", tmp_path / "mlruns"
    recorded = importlib.util.find_spec("mlflow") is not None
    with hook() as server:
        tell = ("--set", f"notify.webhook={server.address}/{SECRETS[0]}/${{HOOK_KEY}}")
        keep = ("--set", f"mlflow.tracking_uri={records}") if recorded else ()

        def retrain(*more):
            return darkroom(
                "retrain", "--images", f"{pictures}/span-{{SPAN}}", "--work", work, *SETTINGS, *keep, *more, HOOK_KEY=SECRETS[1]
            )

        write_discs(pictures / "span-1", 120)
        first = retrain(*tell)
        assert (first.status, first.err) == (0, ""), first
        assert metric(work, "served_version") == 1 and metric(work, "runs", outcome="pushed") == 1
        assert 0 <= metric(work, "served_age_seconds") < 600
        looked = metric(work, "retrain_looked_timestamp_seconds")

        # Another address to tell is no reason to train.
        again = retrain("--set", "notify.webhook=https://h.invalid/x")
        assert again.status == 0 and again.out.startswith("nothing new") and len(again.out.splitlines()) == 1
        assert metric(work, "retrain_looked_timestamp_seconds") > looked and metric(work, "run_outcome", outcome="pushed") == 1

        write_discs(pictures / "span-2", 120, seed=1)
        assert retrain(*tell).status == 0
        assert 0 < metric(work, "drift_divergence", feature="image/mean") < 0.3
        assert metric(work, "figure_nats", model="baseline", figure="elbo") == last_verdict(work)["baseline"]["elbo"]

        write_discs(pictures / "span-3", 120, invert=True)
        assert retrain(*tell).status == 3
        assert metric(work, "drift_divergence", feature="image/mean") > 0.3
        assert metric(work, "runs", outcome="refused") == 1 and metric(work, "served_version") == 2
    assert [body["outcome"] for *_, body in server.received] == ["pushed", "pushed", "refused"]
    assert files_with_a_secret(work) == [] and (not recorded or files_with_a_secret(records) == [])
    if recorded:
        assert len(list(records.glob("*/*/artifacts/verdict.json"))) == 2, "the refused pictures trained nothing"
        assert len(list(records.glob("*/*/artifacts/report/index.html"))) == 2
