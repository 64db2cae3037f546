"""The graph as a DAG, run by a real Airflow in an environment of its own, from pictures to a pushed model."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT, darkroom, last_verdict, write_discs

ENVIRONMENT = ROOT / ".airflow-env"  # made once in a clone; .gitignore knows it
LOCKED = ROOT / "requirements" / ("1.21" if sys.version_info >= (3, 11) else "1.16") / "airflow.txt"  # TFX's line

DAG = """
from pipeline.airflow_dag import darkroom_dag
dag = darkroom_dag(
    images={images!r}, work={work!r}, schedule="0 3 * * *",
    overrides=["training.epochs=2", "training.batch_size=32", "title=50% of {{{{ nothing }}}}", {more!r}],
)
"""


@pytest.fixture(scope="module")
def airflow() -> Path:
    """Airflow's program, in an environment that holds to the last file what is locked."""
    ready, program = ENVIRONMENT / ".ready", ENVIRONMENT / "bin" / "airflow"
    if ready.is_file() and ready.read_text() == LOCKED.read_text():
        return program
    assert LOCKED.is_file()
    uv = shutil.which("uv", path=f"{ROOT / '.uv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        pytest.skip("there is no uv here, which `make` fetches")
    target = ["--quiet", "--python", str(ENVIRONMENT / "bin" / "python")]
    for words in (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(ENVIRONMENT)],
        ["pip", "install", *target, "--no-deps", "--require-hashes", "-r", str(ROOT / "requirements" / "build.txt")],
        ["pip", "sync", *target, "--no-build-isolation", "--require-hashes", str(LOCKED)],
    ):
        environment = {**os.environ, "UV_NO_PROGRESS": "1", "UV_SYSTEM_CERTS": "1"}
        done = subprocess.run([uv, *words], capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            pytest.skip(f"Airflow's environment cannot be made here: {done.stderr.strip()[-300:]}")
    ready.write_text(LOCKED.read_text())
    return program


@pytest.mark.slow
def test_airflow_runs_the_graph(airflow, tmp_path):
    home, pictures, work = tmp_path / "airflow", tmp_path / "pictures", tmp_path / "work"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
        "PYTHONPATH": str(ROOT),
    }

    def run(*words) -> subprocess.CompletedProcess:
        done = subprocess.run([airflow, *words], capture_output=True, text=True, env=environment, timeout=300)
        return subprocess.CompletedProcess(words, done.returncode, done.stdout + done.stderr)

    def test_dag(more="evaluation.max_drop=100"):
        (home / "dags").mkdir(parents=True, exist_ok=True)
        (home / "dags" / "cats.py").write_text(DAG.format(images=str(pictures), work=str(work), more=more))
        return run("dags", "test", "darkroom")

    write_discs(pictures, 120)
    assert run("db", "migrate").returncode == 0

    first = test_dag()
    assert first.returncode == 0, first.stdout[-5000:]
    assert "pushed: version 1, " in first.stdout and (work / "serving" / "1" / "saved_model.pb").is_file()
    verdict = last_verdict(work)
    assert (verdict["outcome"], verdict["title"], verdict["data"]["rejected"]) == ("pushed", "50% of {{ nothing }}", 0)
    assert {each["state"] for each in verdict["components"]} == {"done"} and verdict["seconds"] > 5
    assert (work / "report" / "index.html").is_file()
    assert darkroom("lineage", "1", "--work", work).status == 0

    again = test_dag()
    assert again.returncode == 0 and "nothing new: the 120 pictures" in again.stdout
    assert len(list(work.glob("runs/*"))) == 1

    # What a task of Airflow's has recorded is in the cache of a run without it; what a gate says fails the DAG.
    refused = test_dag("evaluation.min_elbo=100000")
    assert refused.returncode != 0 and "AirflowFailException: refused: " in refused.stdout
    verdict = last_verdict(work)
    states = {each["name"]: each["state"] for each in verdict["components"]}
    assert (verdict["outcome"], verdict["gate"]) == ("refused", "model") and states["Transform"] == "cached"
    assert len(list(work.glob("serving/*"))) == 1
