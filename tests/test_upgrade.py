"""A work folder of an older version: it is listed, traced and rolled back, and the next run continues in it.

The older version is taken from the history of this repository, and makes the folder itself. Without the history, such as in a
shallow clone, the test is skipped.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.project import ROOT, darkroom, last_verdict, write_discs

OLDER = "4bb4119"  # before the packages were reorganized
SETTINGS = ("--set", "training.epochs=2", "--set", "training.batch_size=32", "--set", "evaluation.max_drop=100")


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout of the older version."""
    root = tmp_path_factory.mktemp("older")
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", OLDER], capture_output=True)
    if archive.returncode != 0:
        pytest.skip(f"the history has no commit {OLDER}")
    subprocess.run(["tar", "-x", "-C", str(root)], input=archive.stdout, check=True)
    return root


@pytest.mark.slow
def test_a_work_folder_of_an_older_version(older: Path, tmp_path: Path) -> None:
    images, work = tmp_path / "images", tmp_path / "work"
    write_discs(images, 300)
    asked = ("--images", images, "--work", work, *SETTINGS)
    first = darkroom("run", *asked, root=older)
    assert first.status == 0, first.err
    verdict = last_verdict(work)

    (line,) = darkroom("runs", "--work", work).out.splitlines()[1:]
    assert line.split()[:2] == [verdict["run"], "pushed"] and f"{verdict['figures']['elbo']:.2f}" in line
    shown = darkroom("runs", "show", verdict["run"], "--work", work)
    assert shown.status == 0 and f"elbo: {verdict['figures']['elbo']:.2f} nats" in shown.out
    lineage = darkroom("lineage", 1, "--work", work)
    assert lineage.status == 0 and verdict["run"] in lineage.out and str(images) in lineage.out, lineage.err
    assert darkroom("generate", "--work", work, "--out", tmp_path / "new.png").status == 0

    second = darkroom("run", *asked, "--set", "training.seed=1")
    assert second.status == 0, second.err
    later = last_verdict(work)
    assert later["model"]["version"] == 2 and later["baseline"]["elbo"] == pytest.approx(verdict["figures"]["elbo"], rel=1e-4)
    older_model = str(Path(verdict["model"]["artifact"]).parent)
    assert older_model in darkroom("lineage", 2, "--work", work).out, "the baseline is the older model"

    back = darkroom("rollback", 1, "--work", work)
    assert back.status == 0 and "version 1 is in service as version 3" in back.out, back.err
    weights = [(work / "serving" / version / "weights.npz").read_bytes() for version in ("1", "2", "3")]
    assert weights[0] == weights[2] != weights[1]
    assert len(darkroom("runs", "--work", work).out.splitlines()) == 4  # headings, two runs, the rollback
