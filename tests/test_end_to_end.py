"""The whole pipeline on a few hundred real files, run by run in one work folder, as a person would."""

import csv
import json
import os
import re
import shutil

import numpy as np
import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2
from PIL import Image

from serving.pushed import PushedModel
from tests.project import ROOT, darkroom, last_verdict, write_discs
from tests.trainer.program.node import CODES, decoded, needs_node, prepare, run_node

COMPONENTS = [
    "ImageExampleGen",
    "StatisticsGen",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "FeatureExtractor",
    "Trainer",
    "SampleQuality",
    "ServingCheck",
    "Evaluator",
    "ModelGate",
    "Pusher",
    "Report",
]
QUICK = ["--set", "training.epochs=40", "--set", "model.hidden=[64]", "--set", "model.latent_dim=3"]


class Project:
    """A copy of the project that a test may edit, pictures, and a work folder."""

    def __init__(self, folder):
        self.root, self.images, self.work = folder / "project", folder / "discs", folder / "work"
        for name in ("pipeline", "components", "trainer", "serving", "configs"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        write_discs(self.images, 300)

    def run(self, *arguments, fresh=False):
        return darkroom("run", "--images", self.images, "--work", self.work, *QUICK, *arguments, root=self.root, fresh=fresh)

    def executions(self):
        """Last states of all executions of each component in ML Metadata, oldest first."""
        config = metadata_store_pb2.ConnectionConfig()
        config.sqlite.filename_uri = str(self.work / "metadata.db")
        store = metadata_store.MetadataStore(config)
        types = {t.id: t.name.split(".")[-1] for t in store.get_execution_types()}
        states = {}
        for execution in sorted(store.get_executions(), key=lambda e: e.id):
            name = metadata_store_pb2.Execution.State.Name(execution.last_known_state)
            states.setdefault(types[execution.type_id], []).append(name)
        return states


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("end-to-end"))


@pytest.fixture(scope="module")
def first(project):
    broken = project.images / "big" / "broken.png"
    broken.write_bytes((project.images / "big" / "0001.png").read_bytes()[:-20])
    return project.run(fresh=True)  # what the libraries print while they are imported is not to be seen


def test_the_first_run_pushes_a_model(project, first):
    assert first.status == 0, first.out + first.err
    assert first.err == ""
    assert first.states() == dict.fromkeys(COMPONENTS, "done")
    assert first.out.splitlines()[-1].startswith("pushed: version 1")
    executions = project.executions()
    assert all(states == ["COMPLETE"] for name, states in executions.items() if name in COMPONENTS)
    assert set(COMPONENTS) <= set(executions)


def test_nothing_of_the_libraries_noise_is_shown(first):
    lines = [line for line in first.out.splitlines() if not line.startswith("…")]  # one a minute of a component that takes so long
    assert len(lines) == len(COMPONENTS) + 7  # title, what to expect, splits, refused pictures, report, what to try, pushed


def test_the_work_folder(project, first):
    (run,) = (project.work / "runs").iterdir()
    for path in ("config.yaml", "verdict.json", "log.txt", "report/index.html", "report/explorer.html"):
        assert (run / path).stat().st_size > 0
    assert (project.work / "report/index.html").read_bytes() == (run / "report/index.html").read_bytes()
    served = project.work / "serving" / "1"
    for path in ("saved_model.pb", "model.json", "metrics.json", "model_card.md", "config.yaml"):
        assert (served / path).stat().st_size > 0
    assert [p.name for p in (project.work / "serving").iterdir()] == ["1"]


@needs_node
def test_the_explorer_decodes_as_the_pushed_model(project, first, tmp_path):
    """A trained model: 200 codes, and new pictures of a seed."""
    served = PushedModel(project.work / "serving" / "1")
    shutil.copytree(served.path / "program", tmp_path / "decoded" / "program")
    shutil.copytree(served.path / "program", tmp_path / "drawn" / "program")
    codes = np.random.default_rng(0).standard_normal((CODES, served.latent_dim)).astype(np.float32)
    prepare(tmp_path / "decoded", codes)
    (tmp_path / "drawn" / "request.json").write_text(json.dumps({"count": 64, "seed": 7, "temperature": 0.9}))
    run_node([tmp_path / "decoded", tmp_path / "drawn"])
    for name, expected in (("decoded", served.decode(codes)), ("drawn", served.generate(64, 7, 0.9))):
        assert np.abs(decoded(tmp_path / name, expected.shape[1:]).astype(int) - expected).max() <= 1, name
    served.close()


def test_the_pushed_model_is_published_with_its_card(project, first, tmp_path, monkeypatch):
    """The data and figures of the work folder, and the card's own program."""
    done = darkroom("publish", "--work", project.work, "--to", tmp_path / "published")
    assert done.status == 0, done.err
    card, verdict = (tmp_path / "published/README.md").read_text(), last_verdict(project.work)
    for split, count in verdict["data"]["pictures"].items():
        assert re.search(rf"\| {split} \| {count} \| `[0-9a-f]{{64}}` \|", card)
    assert f"| {verdict['figures']['elbo']:.2f} |" in card and re.search(r"\| big \| -\d+\.\d\d \|", card)
    assert str(project.work) not in card and str(project.images) not in card
    monkeypatch.chdir(tmp_path / "published")
    shutil.copy(next(project.images.glob("big/*.png")), "picture.png")
    values = {}
    exec(card.split("```python\n")[1].split("```")[0], values)
    assert values["new"].shape == (8, *values["again"].shape[1:]) and values["new"].dtype == "uint8"


def test_the_pushed_model_is_exported(project, first, tmp_path):
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed: it is in the extra `export`")
    done = darkroom("export", "--work", project.work, "--format", "onnx", "--out", tmp_path / "onnx")
    assert done.status == 0 and done.err == "", done.err
    assert sorted(path.name for path in (tmp_path / "onnx").iterdir()) == ["decoder.onnx", "encoder.onnx", "export.json"]


def test_files_are_made_with_the_users_umask(project, first):
    mask = os.umask(0)
    os.umask(mask)
    assert not [path for path in project.work.rglob("*") if path.stat().st_mode & mask & 0o777]


def test_a_broken_picture_is_refused_listed_and_counted(project, first):
    verdict = last_verdict(project.work)
    assert verdict["data"]["rejected"] == 1
    assert sum(verdict["data"]["pictures"].values()) == 300
    (rejects,) = (project.work / "rejects").iterdir()
    (line,) = map(json.loads, rejects.read_text().splitlines())
    assert line["path"] == "big/broken.png"
    assert line["reason"]
    assert "1 rejected" in first.out


def test_where_the_model_came_from_and_the_list_of_runs(project, first):
    lineage = darkroom("lineage", 1, "--work", project.work, root=project.root)
    assert (lineage.status, lineage.err) == (0, "")
    verdict = last_verdict(project.work)
    lines = lineage.out.splitlines()
    assert lines[0] == f"version 1: trained by run {verdict['run']}"
    assert f"pictures: {project.images} (" in lines[1] and f"{verdict['data']['pictures']['train']:,} train" in lines[1]
    assert '"latent_dim": 3' in lines[2] and "started from: nothing" in lineage.out and "judged against: nothing" in lineage.out
    assert darkroom("lineage", project.work / "serving/1", "--work", project.work, root=project.root).out == lineage.out
    mistaken = darkroom("lineage", "latest", "--work", project.work, root=project.root)
    assert mistaken.status == 2 and "a version or its folder, such as 3 or serving/3, not latest" in mistaken.err
    unknown = darkroom("lineage", 7, "--work", project.work, root=project.root)
    assert unknown.status == 2 and "no version 7 was pushed; pushed were 1" in unknown.err and len(unknown.err.splitlines()) == 1
    listed = darkroom("runs", "--work", project.work, root=project.root).out.splitlines()
    assert len(listed) == 2 and listed[1].startswith(f"{verdict['run']}  pushed")


def test_the_verdict(project, first):
    verdict = last_verdict(project.work)
    assert (verdict["schema"], verdict["status"], verdict["outcome"], verdict["gate"]) == (1, 0, "pushed", None)
    assert verdict["model"]["version"] == 1
    figures = verdict["figures"]
    assert figures["elbo"] == pytest.approx(-figures["reconstruction"] - figures["kl"], rel=1e-4)
    assert figures["importance_weighted"] >= figures["elbo"]
    assert [c["name"] for c in verdict["components"]] == list(first.states())
    assert verdict["quality"]["generated"] is None  # of 300 pictures too few are held out
    assert verdict["quality"]["reason"] in first.out


def test_a_second_run_takes_everything_from_the_cache(project, first):
    second = project.run()  # with another seed of hashes than the first
    assert second.status == 0, second.err
    assert second.states() == dict.fromkeys(COMPONENTS, "cached")
    assert [p.name for p in (project.work / "serving").iterdir()] == ["1"]
    assert last_verdict(project.work)["model"]["version"] == 1
    assert last_verdict(project.work)["data"]["rejected"] == 1


def test_a_deleted_version_is_pushed_again(project, first):
    shutil.rmtree(project.work / "serving")
    again = project.run()
    assert again.status == 0, again.err
    assert again.states()["Pusher"] == "done" and again.states()["Trainer"] == "cached"
    assert (project.work / "serving" / "1" / "saved_model.pb").is_file()


def test_a_model_below_the_absolute_bound_is_refused_and_the_one_before_stays(project, first):
    before = sorted(p.name for p in (project.work / "serving").iterdir())
    ended = project.run("--set", "evaluation.min_elbo=-1")
    assert ended.status == 3
    assert re.search(r"^refused by the model gate: ELBO is -[\d.]+ nats; the minimum is -1.00 ", ended.err, re.MULTILINE), ended.err
    assert '--bless "the reason"' in ended.err
    assert ended.states()["Trainer"] == "cached" and ended.states()["Report"] == "done"
    assert sorted(p.name for p in (project.work / "serving").iterdir()) == before
    verdict = last_verdict(project.work)
    assert (verdict["status"], verdict["gate"], verdict["outcome"]) == (3, "model", "refused")
    assert verdict["reasons"] and verdict["blessed_by"] is None


def test_inverted_pictures_are_refused_for_drift(project, first, tmp_path):
    write_discs(tmp_path, 300, invert=True)
    ended = darkroom("run", "--images", tmp_path, "--work", project.work, *QUICK, root=project.root)
    assert ended.status == 3
    assert "refused by the data gate" in ended.err and "drifted" in ended.err and "brightness" in ended.err
    assert "Trainer" not in ended.states()
    # What was refused is no baseline: the good pictures pass again.
    assert project.run().states()["DataGate"] in ("cached", "done")


def test_the_pushed_model_can_be_used(project, first, tmp_path):
    work = ["--work", project.work]
    picture = project.images / "big" / "0001.png"
    assert darkroom("generate", *work, "--count", 9, "--seed", 3, "--out", tmp_path / "a.png", fresh=True).status == 0
    assert darkroom("generate", *work, "--count", 9, "--seed", 3, "--out", tmp_path / "b.png").status == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), np.asarray(Image.open(tmp_path / "b.png")))
    assert darkroom("reconstruct", *work, picture, "--out", tmp_path / "r.png").status == 0
    other = project.images / "small" / "0000.png"
    assert darkroom("interpolate", *work, picture, other, "--steps", 5, "--out", tmp_path / "i").status == 0
    assert len(list((tmp_path / "i").glob("*.png"))) == 5
    assert darkroom("encode", *work, project.images, "--out", tmp_path / "codes.csv").status == 0
    with (tmp_path / "codes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 300
    assert {"path", "mean_0", "mean_2", "log_variance_2"} <= rows[0].keys()
    assert darkroom("score", *work, picture, "--out", tmp_path / "scores.csv").status == 0
