"""A model that the Evaluator refuses, run by run: refused, forced by a person, standing, and the next one's baseline.

Then, in the same work folder, what else is refused or trained anew, and the first model put back.
"""

import getpass
import re
import shutil

import pytest
from PIL import Image

from tests.project import ROOT, darkroom, last_verdict, write_discs
from tests.test_end_to_end import COMPONENTS

pytestmark = pytest.mark.slow

# Pictures of a beta this high carry nothing: the ELBO is about that of the mean picture.
WORSE = ("--set", "training.beta=1000", "--set", "evaluation.max_drop=0.1", "--set", "evaluation.min_gain=-100")
WHY = "a test of the gate"


class Folder:
    """Pictures, a work folder, and a copy of the project: nothing is to miss the cache because someone edits the original."""

    def __init__(self, folder):
        self.root, self.images, self.work = folder / "project", folder / "discs", folder / "work"
        for name in ("pipeline", "components", "trainer", "serving", "configs"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        write_discs(self.images, 300)

    def run(self, *arguments, images=None):
        """`darkroom run` with a small model."""
        quick = [f"--set={value}" for value in ("training.epochs=40", "model.hidden=[64]", "model.latent_dim=3")]
        where = ("--images", images or self.images, "--work", self.work)
        return darkroom("run", *where, *quick, *arguments, root=self.root)

    def verdict(self):
        """The last run's."""
        return last_verdict(self.work)

    def versions(self):
        """Of pushed models."""
        return sorted(int(path.name) for path in (self.work / "serving").iterdir())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("forced"))


@pytest.fixture(scope="module")
def good(folder):
    ended = folder.run()
    assert ended.status == 0, ended.out + ended.err
    assert folder.verdict()["blessed_by"] is None and folder.verdict()["overruled"] == []
    return folder.verdict()


@pytest.fixture(scope="module")
def refused(folder, good):
    ended = folder.run(*WORSE)
    assert ended.status == 3, ended.out + ended.err
    assert folder.versions() == [1]
    return ended, folder.verdict()


@pytest.fixture(scope="module")
def forced(folder, refused):
    ended = folder.run(*WORSE, "--bless", WHY)
    assert ended.status == 0, ended.out + ended.err
    return ended, folder.verdict()


def test_a_crippled_model_is_refused_with_what_was_worse_and_by_how_much(good, refused):
    ended, verdict = refused
    assert (verdict["gate"], verdict["outcome"], verdict["blessed_by"]) == ("model", "refused", None)
    drop = good["figures"]["elbo"] - verdict["figures"]["elbo"]
    assert verdict["reasons"][0].startswith(f"ELBO is {drop:.2f} nats worse than the last blessed model's; ")
    assert {reason.split(" is ")[0] for reason in verdict["reasons"]} == {
        "ELBO",
        "importance-weighted bound",
        "reconstruction term",
    }
    for reason in verdict["reasons"]:
        assert reason in ended.err
    line = r"^refused by the model gate: ELBO is [\d.]+ nats worse than the last blessed model's; 0.10 is allowed"
    assert re.search(line, ended.err, re.MULTILINE), ended.err
    assert re.search(r"^  importance-weighted bound is [\d.]+ nats worse", ended.err, re.MULTILINE)
    assert '--bless "the reason"' in ended.err and ended.states()["Report"] == "done"


def test_a_person_can_have_it_pushed_all_the_same_and_is_recorded(folder, refused, forced):
    ended, verdict = forced
    assert ended.states()["Trainer"] == ended.states()["Evaluator"] == "cached"
    assert folder.versions() == [1, 2] and verdict["model"]["version"] == 2
    by = verdict["blessed_by"]
    assert set(by) == {"who", "why", "when"}
    assert by["who"].startswith(f"{getpass.getuser()}@") and by["why"] == WHY and by["when"] >= verdict["started"]
    assert (verdict["outcome"], verdict["gate"], verdict["reasons"]) == ("pushed", None, [])
    assert verdict["overruled"] == refused[1]["reasons"]
    last = ended.out.splitlines()[-6:]
    assert last[-1].startswith("pushed: version 2")
    assert f"blessed despite the refusal by {by['who']} ({by['when']}): {WHY}" in last
    assert f"  {verdict['overruled'][0]}" in last
    page = (folder.work / "report" / "index.html").read_text()
    assert "overruled the model gate" in page and WHY in page and "worse than the last blessed model" in page
    report = darkroom("report", "--work", folder.work)
    assert by["who"] in report.out and verdict["overruled"][0] in report.out


def test_it_stands_when_nothing_has_changed(folder, forced):
    for states in ({"cached", "done"}, {"cached"}):
        again = folder.run(*WORSE)
        assert again.status == 0, again.out + again.err
        assert set(again.states().values()) == states
        assert folder.verdict()["blessed_by"] == forced[1]["blessed_by"]
        assert folder.versions() == [1, 2], "it is in service already"


def test_no_other_gate_is_overruled(folder, forced, tmp_path):
    write_discs(tmp_path, 300, invert=True)
    ended = folder.run("--bless", WHY, images=tmp_path)
    assert ended.status == 3 and folder.verdict()["gate"] == "data"
    assert "--bless overrules only the model gate" in ended.err
    ended = folder.run(*WORSE, "--bless", WHY, "--set", "serving_check.timeout_seconds=1")
    assert ended.status == 3, ended.out + ended.err
    assert folder.verdict()["gate"] == "serving" and folder.versions() == [1, 2]


def test_it_is_what_the_next_model_is_compared_with(folder, forced):
    ended = folder.run("--set", "training.seed=5", "--bless", "to be sure")
    assert ended.status == 0, ended.out + ended.err
    verdict = folder.verdict()
    assert verdict["baseline"]["elbo"] == pytest.approx(forced[1]["figures"]["elbo"])
    assert verdict["blessed_by"] is None and verdict["overruled"] == []
    assert "--bless was not needed and is not recorded" in ended.out
    assert folder.versions() == [1, 2, 3]
    again = folder.run("--set", "training.seed=5")
    assert again.status == 0 and folder.versions() == [1, 2, 3]


def test_beside_another_model_it_is_judged_afresh(folder, forced):
    """After the test before, the last blessed model is a good one again."""
    ended = folder.run(*WORSE)
    assert ended.status == 3, ended.out + ended.err
    assert folder.verdict()["blessed_by"] is None


def test_an_edited_loss_is_not_taken_from_the_cache(folder, good):
    losses = folder.root / "trainer" / "losses.py"
    text = losses.read_text()
    edited = text.replace("+ beta * tf.reduce_sum(kl)", "+ 2 * beta * tf.reduce_sum(kl)")
    assert edited != text
    losses.write_text(edited)
    try:
        ended = folder.run()
    finally:
        losses.write_text(text)
    states = ended.states()
    before = COMPONENTS[: COMPONENTS.index("Trainer")]
    assert {name: states[name] for name in before} == dict.fromkeys(before, "cached")
    assert {states[name] for name in ("Trainer", "ServingCheck", "Evaluator")} == {"done"}
    assert "the last blessed model" in ended.out
    assert folder.verdict()["baseline"]["elbo"] < 0


def test_black_pictures_are_refused_for_drift(folder, good, tmp_path):
    for i in range(200):
        path = tmp_path / ("big" if i % 2 else "small") / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (12, 12)).save(path)
    ended = folder.run("--set", "data.keep_duplicates=true", images=tmp_path)
    assert ended.status == 3, ended.out + ended.err
    assert "drifted" in ended.err
    # Without that they are refused before, for all are one picture.
    ended = folder.run("--set", "data.keep_duplicates=false", images=tmp_path)
    assert ended.status == 3 and "data.keep_duplicates=true" in ended.err, ended.err


def test_the_model_before_is_put_back_and_what_nobody_needs_is_cleared(folder, forced, tmp_path):
    work, serving = ["--work", folder.work], folder.work / "serving"
    there = folder.versions()
    current, fresh = there[-1], there[-1] + 1
    back = darkroom("rollback", 1, *work, "--why", "grey stripes")
    assert back.status == 0, back.err
    assert [line.split(":")[0] for line in back.out.splitlines()] == ["withdrawn", "rolled back"]
    weights = [(serving / version / "weights.npz").read_bytes() for version in ("1", str(current), str(fresh))]
    assert weights[0] == weights[2] != weights[1]
    assert f"version {fresh} is version 1, put back in place of {current}" in darkroom("runs", *work).out
    served = re.search(r'^darkroom_served_version{work="work"} (\S+)$', (folder.work / "metrics.prom").read_text(), re.M)
    assert float(served[1]) == fresh

    before = sorted(path for path in folder.work.rglob("*") if path.name != ".lock")
    shown = darkroom("gc", *work, "--keep", 1, "--dry-run")
    assert shown.status == 0 and f"serving: {', '.join(map(str, there))} (" in shown.out and "nothing was removed" in shown.out
    assert before == sorted(path for path in folder.work.rglob("*") if path.name != ".lock")
    cleared = darkroom("gc", *work, "--keep", 1, "--yes")
    assert cleared.status == 0 and cleared.out.splitlines()[-1].startswith("removed: ")
    assert [path.name for path in serving.iterdir()] == [str(fresh)]
    assert darkroom("gc", *work, "--keep", 1).out == "nothing to remove\n"
    lineage = darkroom("lineage", fresh, *work).out
    assert "deleted since" not in lineage
    assert darkroom("generate", *work, "--out", tmp_path / "new.png").status == 0
