"""Retraining that goes on from the last blessed model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.project import darkroom, last_verdict, write_discs

SETTINGS = ("--set", "training.warm_start=true", "--set", "training.epochs=8", "--set", "training.batch_size=32")
MARGIN = ("--set", "evaluation.max_drop=20", "--accept-drift")


def trained(work: Path) -> dict:
    """What the last run's Trainer wrote, and its learning curve."""
    model = Path(last_verdict(work)["model"]["artifact"])
    newest = max((work / "artifacts/Trainer/model_run").iterdir(), key=lambda path: int(path.name))
    curve = [json.loads(line) for line in (newest / "history.jsonl").read_text().splitlines()]
    return {**json.loads((model / "metrics.json").read_text()), "curve": curve}


@pytest.mark.slow
def test_new_pictures_start_from_the_last_blessed_model_and_the_same_ones_do_not_train_again(tmp_path):
    pictures, work = tmp_path / "discs", tmp_path / "work"
    run = ("run", "--images", pictures, "--work", work, *SETTINGS, *MARGIN)
    write_discs(pictures, 300)
    assert darkroom(*run).status == 0
    first = trained(work)
    assert not first["warm_start"]

    again = darkroom(*run)
    assert again.status == 0 and again.states()["Trainer"] == "cached", again.out

    write_discs(pictures, 300, seed=1, prefix="more-")
    assert darkroom(*run).status == 0
    second = trained(work)
    assert second["warm_start"]
    assert second["curve"][0]["eval"]["elbo"] > first["curve"][0]["eval"]["elbo"], (
        "its first epoch begins where the other had ended"
    )

    again = darkroom(*run)
    assert again.status == 0 and again.states()["Trainer"] == "cached", again.out

    told = darkroom("lineage", 2, "--work", work).out
    assert f"started from: {work}/artifacts/Trainer/model/" in told
    assert "started from: nothing" in darkroom("lineage", 1, "--work", work).out

    other = darkroom(*run, "--set", "model.latent_dim=3")
    assert other.status == 0 and not trained(work)["warm_start"], "other networks start anew"
