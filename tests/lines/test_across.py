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
from tests.lines.answers import NETWORKS
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
        if value.dtype == np.float32 and not name.startswith("encode/"):  # nats: exponentials, and sums over all pixels
            np.testing.assert_allclose(value, theirs[name], rtol=0, atol=1e-4, err_msg=name)
        else:
            np.testing.assert_array_equal(value, theirs[name], err_msg=name)


def test_each_network_gives_the_same_codes(tmp_path: Path) -> None:
    answers = ("-m", "tests.lines.answers")
    models, outs = tmp_path / "models", [tmp_path / f"{line}.npz" for line in ("older", "newer")]
    for ended in (
        older(*answers, "export", models),
        older(*answers, "codes", models, outs[0]),
        newer(tmp_path, *answers, "codes", models, outs[1]),
    ):
        assert ended.status == 0, ended.err
    ours, theirs = (dict(np.load(out)) for out in outs)
    assert set(ours) == set(theirs) and {name.split("/")[0] for name in ours} == set(NETWORKS)
    for name, value in ours.items():
        assert value.dtype == np.float32 and np.ptp(value, axis=0).min() > 0, name
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

    listed = alike(story, "runs")
    assert len(listed.splitlines()) == 5  # headings, two runs that pushed, one interrupted, this one


def test_either_line_rolls_back_what_the_other_one_pushed(story: Story) -> None:
    put_back = newer(story.folder, "-c", SCRIPT, "rollback", "1", "--work", story.work, "--why", "stripes")
    assert put_back.status == 0 and "version 1 is in service as version 3" in put_back.out, put_back.err
    undone = darkroom("rollback", "2", "--work", story.work)
    assert undone.status == 0 and "version 2 is in service as version 4" in undone.out, undone.err
    for one, other in ((1, 3), (2, 4)):
        first, second = (story.work / f"serving/{version}/saved_model.pb" for version in (one, other))
        assert first.read_bytes() == second.read_bytes()
    for version, said in ((1, "it was the first"), (2, "judged against: "), (3, "stripes")):
        assert said in alike(story, "lineage", str(version))
    assert [line for line in alike(story, "runs").splitlines() if "version 3 is version 1" in line]


def alike(story: Story, *command: str) -> str:
    """Return what a command says, which is the same on both lines."""
    said = [darkroom(*command, "--work", story.work), newer(story.folder, "-c", SCRIPT, *command, "--work", story.work)]
    assert said[0] == said[1] and said[0].status == 0, said
    return said[0].out
