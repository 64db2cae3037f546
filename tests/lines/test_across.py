"""A work folder, its models and pictures across the lines of TFX: begun on this system's, gone on with in a root of Debian 13, and back.

`make test-newer` makes the root and says where it is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.fork_server import Ended
from tests.lines.pictures import write_formats
from tests.project import ROOT, SCRIPT, darkroom, last_verdict, start_darkroom

NEWER = os.environ.get("DARKROOM_NEWER_ROOT")
pytestmark = pytest.mark.skipif(not NEWER, reason="needs a root with TFX 1.21: make test-newer")
RUN = ("run", "--dataset", "digits", "--set", "training.patience=1000", "--set", "evaluation.max_drop=20")
FIRST = (*RUN, "--set", "training.epochs=12")
SECOND = (*RUN, "--set", "training.epochs=40", "--set", "training.seed=1")
LIMIT = 600  # seconds after which a command counts as one that hangs


def newer(folder: Path, *arguments: object) -> Ended:
    """Run `python ARGUMENTS` on TFX 1.21; the folder is there at the same path."""
    command = [ROOT / "tests/lines/enter.sh", NEWER, folder, ".venv/bin/python", *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=LIMIT)
    return Ended(done.returncode, done.stdout, done.stderr)


def older(*arguments: object) -> Ended:
    """Run `python ARGUMENTS` on this system's line."""
    command = [ROOT / ".venv/bin/python", *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=LIMIT, cwd=ROOT)
    return Ended(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Story:
    """What happened to a work folder."""

    folder: Path
    kept: list[dict]  # the history of the epochs that 1.16 had trained when it was interrupted
    first: dict  # verdict of the run on 1.16
    gone_on: Ended  # the run on 1.21
    second: dict  # its verdict

    @property
    def work(self) -> Path:
        return self.folder / "work"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A work folder with a model of 1.16, and one whose training 1.16 began and 1.21 ended."""
    folder = tmp_path_factory.mktemp("lines")
    work = folder / "work"
    begun = darkroom(*FIRST, "--work", work)
    assert begun.status == 0, begun.out + begun.err
    first = last_verdict(work)

    training = start_darkroom(*SECOND, "--work", work)
    deadline = time.monotonic() + LIMIT
    while not list(work.glob("checkpoints/*.npz")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    training.signal(signal.SIGINT)
    assert training.wait().status == 130
    (checkpoint,) = work.glob("checkpoints/*.npz")
    with np.load(checkpoint, allow_pickle=False) as saved:
        kept = json.loads(saved["state"].tobytes())["lines"]

    gone_on = newer(folder, "local_runner.py", *SECOND[1:], "--work", work)
    assert gone_on.status == 0, gone_on.out + gone_on.err
    return Story(folder, kept, first, gone_on, last_verdict(work))


def test_a_work_folder_and_a_training_go_on(story: Story) -> None:
    states = story.gone_on.states()
    assert {name for name, state in states.items() if state == "cached"} >= {"ImageExampleGen", "Transform", "FeatureExtractor"}
    assert [states[name] for name in ("Trainer", "Evaluator", "Pusher")] == ["done"] * 3
    assert (story.first["model"]["version"], story.second["model"]["version"]) == (1, 2)
    assert story.second["baseline"]["elbo"] == pytest.approx(story.first["figures"]["elbo"], abs=1e-3)

    execution = Path(story.second["model"]["artifact"]).parent.name
    (path,) = story.work.glob(f"artifacts/Trainer/model_run/{execution}/history.jsonl")
    history = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["epoch"] for line in history] == list(range(1, 41))
    assert [line["eval"] for line in history[: len(story.kept)]] == [line["eval"] for line in story.kept]
    # Variables in another order, or an optimizer that begins anew, would throw the model back.
    assert history[len(story.kept)]["eval"]["elbo"] > story.kept[-1]["eval"]["elbo"]


@pytest.mark.parametrize("version", [1, 2])
def test_a_model_of_either_line_answers_alike_on_both(story: Story, version: int) -> None:
    pictures = story.folder / "pictures"
    write_formats(pictures)
    (examples,) = story.work.glob("artifacts/ImageExampleGen/examples/*/Split-eval")
    arguments = ("-m", "tests.lines.answers", "model", story.work / f"serving/{version}", pictures, examples)
    outs = [story.folder / f"answers-{version}-{line}.npz" for line in ("older", "newer")]
    for ended in (older(*arguments, outs[0]), newer(story.folder, *arguments, outs[1])):
        assert ended.status == 0, ended.err
    ours, theirs = (dict(np.load(out)) for out in outs)
    assert ours.pop("library") != theirs.pop("library")
    assert set(ours) == set(theirs) and len(ours["paths"]) == len(list(pictures.iterdir()))
    for name, value in ours.items():
        if value.dtype == np.float32:  # per picture: codes, or nats. The lines' libraries add floats in different orders
            atol = 1e-5 if name.startswith("encode/") else 1e-4
            np.testing.assert_allclose(value, theirs[name], rtol=0, atol=atol, err_msg=name)
        else:
            np.testing.assert_array_equal(value, theirs[name], err_msg=name)


def test_pictures_become_the_same_examples_and_pixels(story: Story) -> None:
    pictures, outs = story.folder / "sources", [story.folder / "older", story.folder / "newer"]
    write_formats(pictures)
    arguments = ("-m", "tests.lines.answers", "examples", pictures)
    for ended in (older(*arguments, outs[0]), newer(story.folder, *arguments, outs[1])):
        assert ended.status == 0, ended.err
    written = [{path.relative_to(out): path.read_bytes() for path in sorted(out.glob("Split-*/*"))} for out in outs]
    assert written[0] == written[1] and len(written[0]) == 3
    ours, theirs = (dict(np.load(out / "levels.npz")) for out in outs)
    assert set(ours) == set(theirs) and len(ours) > 10
    for path, levels in ours.items():
        np.testing.assert_array_equal(levels, theirs[path], err_msg=path)


def test_the_older_line_goes_on_with_what_the_newer_one_wrote(story: Story) -> None:
    again = darkroom(*SECOND, "--work", story.work)
    assert again.status == 0, again.err
    # ModelGate reads the DataGate's blessing of the same line, and the last two read what it says.
    assert {name for name, state in again.states().items() if state != "cached"} <= {"ModelGate", "Pusher", "Report"}
    assert last_verdict(story.work)["model"]["version"] == 2

    listed = darkroom("runs", "--work", story.work)
    assert listed.status == 0 and len(listed.out.splitlines()) == 5  # headings, two runs that pushed, one interrupted, this one
    assert newer(story.folder, "-c", SCRIPT, "runs", "--work", story.work) == listed
