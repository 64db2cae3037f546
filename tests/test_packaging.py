"""The package: it runs outside the checkout, and Beam can send it to its workers."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tests.fork_server import fork_server
from tests.project import ROOT, last_verdict


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A clean copy of what is packed."""
    folder = tmp_path_factory.mktemp("source") / "project"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("common", "configs", "pipeline", "components", "trainer", "serving", "kubeflow"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "local_runner.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def build(source, kind):
    subprocess.run([sys.executable, "setup.py", "-q", kind], cwd=source, check=True, capture_output=True)
    (made,) = (source / "dist").glob("*.whl" if kind == "bdist_wheel" else "*.tar.gz")
    return made


def test_beam_can_pack_it(source):
    with tarfile.open(build(source, "sdist")) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {
        "setup.py",
        "local_runner.py",
        "trainer/task.py",
        "components/report/templates/style.css",
        "components/report/templates/sections/code.html",
    } <= names
    assert {"configs/digits.yaml", "components/data_gate/schema.pbtxt", "serving/explorer/page/engine/model.mjs"} <= names
    assert {f"serving/explorer/page/{name}" for name in ("index.html", "style.css", "main.mjs", "view/map.mjs")} <= names


SDK = ("__init__.py", "common", "hub", "optimizer", "pipelines", "py.typed", "spark", "trainer")  # in `kubeflow` of PyPI's SDK 0.5


def test_kubeflow_is_shared_with_the_sdk_of_that_name(source, tmp_path):
    """Neither overwrites a file of the other, so that the order of installation does not matter."""
    with zipfile.ZipFile(build(source, "bdist_wheel")) as wheel:
        wheel.extractall(tmp_path)
        names = {name.split("/")[1] for name in wheel.namelist() if name.startswith("kubeflow/")}
    assert {"compile", "container", "server", "entrypoint.py", "check_image.py"} <= names and not names & set(SDK)
    script = "import kubeflow.compile, kubeflow.entrypoint, kubeflow.server"

    def run(script):
        return subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)

    done = run(script)
    assert done.returncode == 0, done.stderr
    (tmp_path / "kubeflow/trainer").mkdir()
    (tmp_path / "kubeflow/__init__.py").write_text('__version__ = "0.5.0"\n')
    (tmp_path / "kubeflow/trainer/__init__.py").write_text("")
    done = run(f"{script}, kubeflow.trainer; print(kubeflow.__version__)")
    assert (done.returncode, done.stdout) == (0, "0.5.0\n"), done.stderr


@pytest.mark.slow
def test_it_runs_outside_the_checkout(source, tmp_path):
    with zipfile.ZipFile(build(source, "bdist_wheel")) as wheel:
        wheel.extractall(tmp_path / "installed")
        (entry_points,) = (n for n in wheel.namelist() if n.endswith("entry_points.txt"))
        assert "darkroom = local_runner:main" in wheel.read(entry_points).decode()
    script = "import sys; del sys.path[0]; import local_runner; sys.stderr.write(local_runner.__file__); local_runner.main()"
    arguments = ["run", "--work", str(tmp_path / "work"), "--set", "training.epochs=2"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = fork_server().start("-c", script, *arguments, environment=environment, cwd=tmp_path).wait()
    assert done.status == 0, done.out + done.err
    assert done.err.startswith(str(tmp_path / "installed"))
    assert last_verdict(tmp_path / "work")["outcome"] == "pushed"
