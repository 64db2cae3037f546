"""The executor on small real artifacts: a SavedModel, TFRecords, TFMA results."""

from __future__ import annotations

import io
import json
import re
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tfx.types import Artifact, channel_utils, standard_artifacts

from components.artifacts import Report
from components.decisions import Forced, set_properties
from components.report.component import Report as ReportComponent
from components.report.executor import Executor, gather
from components.report.page import render
from components.report.sources import explorer
from components.report.sources.examples import Picture, read_evenly, read_held_out, varied
from components.report.sources.explorer import nearest
from tests.components.report import fakes
from tests.components.report.fake_model import blob_model, blobs
from tests.components.report.made import report
from tests.components.report.reading import Page
from tests.serving.explorer import tiny_program

PICTURES = {"generated.png", "reconstructions.png", "interpolation.png", "latent.png", "manifold.png", "loss.png"}
PARAMETERS = {
    "title": "insects",
    "config": "preprocessing:\n  fit: stretch\n  background: [0, 0, 0]\n",
    "code": "",
    "seed": 3,
}

Artifacts = dict[str, list[Artifact]]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    return fakes.write_artifacts(tmp_path_factory.mktemp("run"))


def run(inputs: Artifacts, folder: Path) -> Page:
    output = fakes.artifact(Report, folder)
    Executor().Do(inputs, {"report": [output]}, PARAMETERS)
    return Page((folder / "index.html").read_text(encoding="utf-8"))


def test_writes_the_page_and_the_pictures(artifacts: Artifacts, tmp_path: Path) -> None:
    page = run(artifacts, tmp_path)
    assert "Pushed as version 3" in page.words
    for text in ("ant", "bee", "20 train", "20 eval", "50 samples", "first principal axis", "20 held-out pictures"):
        assert text in page.words, text
    written = {path.name: path.read_bytes() for path in (tmp_path / "pictures").iterdir()}
    assert set(written) == PICTURES
    for name, content in written.items():
        image = Image.open(io.BytesIO(content))
        image.load()
        assert image.format == "PNG" and min(image.size) >= 20, name


def test_writes_the_explorer_of_a_model_that_has_a_decoder_for_it(artifacts: Artifacts, tmp_path: Path) -> None:
    page = run(artifacts, tmp_path / "without")
    assert "Walk in this space" not in page.words and not (tmp_path / "without" / "explorer.html").exists()
    model = tmp_path / "model"
    shutil.copytree(artifacts["model"][0].uri, model)
    tiny_program.save(model / "Format-Serving")
    page = run({**artifacts, "model": [fakes.artifact(standard_artifacts.Model, model)]}, tmp_path / "with")
    assert "Walk in this space" in page.words
    written = (tmp_path / "with" / "explorer.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', written).group(1))
    assert "<h1>insects</h1>" in written and data["lead"].endswith("describes each picture by 3 numbers, trained on 20 pictures.")
    assert data["held_out"]["sheet"]["count"] == len(data["held_out"]["labels"]) == 20 and set(data["held_out"]["names"]) == {
        "ant",
        "bee",
    }
    assert data["training"]["sheet"]["count"] == data["training"]["total"] == 20


def test_a_decoder_that_is_too_large_is_replaced_by_pictures(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shutil.copytree(artifacts["model"][0].uri, tmp_path / "model")
    tiny_program.save(model / "Format-Serving")
    monkeypatch.setattr(explorer, "MAX_WEIGHTS", 10)
    found = gather({**artifacts, "model": [fakes.artifact(standard_artifacts.Model, model)]}, PARAMETERS, "1", datetime(2026, 1, 1))
    assert "too many for a page to hold" in found.explorer and "<script" not in found.explorer
    assert found.explorer.count("data:image/png;base64,") == 4 and "script-src" not in found.explorer


def test_some_training_pictures_are_spread_over_all(artifacts: Artifacts) -> None:
    uri = artifacts["examples"][0].uri
    everyone = read_evenly(uri, "train", 20, 100)
    assert len(everyone) == 20
    assert read_evenly(uri, "train", 20, 5) == everyone[::4]
    assert len(read_evenly(uri, "train", 0, 5)) == 5


def test_asks_the_model_what_the_page_shows(artifacts: Artifacts) -> None:
    made = gather(artifacts, PARAMETERS, "run-1", report().when)
    shape = (12, 16, 1)
    assert made.answers.problems == []
    assert made.answers.generated.shape == (96, *shape) and made.answers.generated.dtype == np.uint8
    assert made.answers.originals.shape == made.answers.reconstructions.shape == (20, *shape)
    assert [way.frames.shape for way in made.answers.interpolations] == [(12, *shape)] * 3
    assert all(way.labels[0] != way.labels[1] for way in made.answers.interpolations)
    assert made.answers.codes.means.shape == (20, 3)
    assert made.answers.manifold.pictures.shape == (20, 20, *shape)
    assert made.answers.manifold.axes == (0, 1)
    assert len(made.data.samples) == 2
    again = gather(artifacts, PARAMETERS, "run-1", made.when)
    np.testing.assert_array_equal(again.answers.generated, made.answers.generated)


def test_manifold_runs_rightwards_and_upwards(artifacts: Artifacts) -> None:
    made = gather(artifacts, PARAMETERS, "", report().when)
    grid = made.answers.manifold
    corner = np.array([[grid.values[0], grid.values[-1], 0]], np.float32)  # left, top
    np.testing.assert_allclose(grid.pictures[0, 0], blobs(corner, (12, 16, 1))[0], atol=1)


def test_only_what_must_be_there(artifacts: Artifacts, tmp_path: Path) -> None:
    needed = {name: found for name, found in artifacts.items() if name not in ("infra_blessing", "pushed_model")}
    words = run({**needed, "infra_blessing": []}, tmp_path).words
    assert "Blessed, but not pushed by this run" in words
    assert "The exported model was not checked in this run." in words


def test_evaluation_with_a_baseline_and_a_missed_bound(artifacts: Artifacts, tmp_path: Path) -> None:
    now = {"elbo": -250.5, "reconstruction": 236.0, "kl": 14.5}
    fakes.write_evaluation(
        tmp_path / "e",
        {"": now, "ant": now},
        baseline={"elbo": -240.0, "reconstruction": 226.0, "kl": 14.0},
        bound=-245,
    )
    inputs = {
        **artifacts,
        "evaluation": [fakes.artifact(standard_artifacts.ModelEvaluation, tmp_path / "e")],
        "blessing": [fakes.artifact(standard_artifacts.ModelBlessing, tmp_path, blessed=0)],
        "pushed_model": [fakes.artifact(standard_artifacts.PushedModel, tmp_path, pushed=0)],
    }
    words = run(inputs, tmp_path / "report").words
    assert "Refused by the model gate: " in words and "−250.50 nats" in words and "−245.00" in words
    assert "▼ −10.50 vs last blessed" in words


def test_a_forced_blessing(artifacts: Artifacts, tmp_path: Path) -> None:
    fakes.write_evaluation(tmp_path / "e", {"": {"elbo": -250.5}}, bound=-245)
    blessing = fakes.artifact(standard_artifacts.ModelBlessing, tmp_path, blessed=1)
    set_properties(blessing, Forced("ada@engine", "new camera", "2026-01-01T10:00:00+00:00").properties())
    inputs = {
        **artifacts,
        "evaluation": [fakes.artifact(standard_artifacts.ModelEvaluation, tmp_path / "e")],
        "blessing": [blessing],
    }
    words = run(inputs, tmp_path / "report").words
    assert "Pushed as version 3; ada@engine overruled the model gate: new camera" in words
    assert "the minimum is −245.00 (5.50 too low)" in words


def test_serving_check_that_refuses(artifacts: Artifacts, tmp_path: Path) -> None:
    fakes.write_serving_check(tmp_path / "check", bad="encode")
    check = fakes.artifact(standard_artifacts.InfraBlessing, tmp_path / "check", blessed=0)
    words = run({**artifacts, "infra_blessing": [check]}, tmp_path / "report").words
    assert "Refused by the serving check: encode: images differ by up to 17 levels" in words


def test_a_broken_model_still_gets_its_report(artifacts: Artifacts, tmp_path: Path) -> None:
    source = Path(artifacts["model"][0].uri)
    shutil.copytree(source, tmp_path / "model")
    (tmp_path / "model/Format-Serving/saved_model.pb").write_bytes(b"not a model")
    broken = {**artifacts, "model": [fakes.artifact(standard_artifacts.Model, tmp_path / "model")]}
    assert "The model could not be loaded" in run(broken, tmp_path / "report").words
    assert {p.name for p in (tmp_path / "report/pictures").iterdir()} == {"loss.png"}


def test_a_signature_that_is_missing_costs_its_section_only(artifacts: Artifacts, tmp_path: Path) -> None:
    facts = json.loads(Path(artifacts["model"][0].uri, "Format-Serving/model.json").read_text())
    fakes.write_model(tmp_path / "model", blob_model((12, 16, 1), 3), facts, {}, leave_out=("interpolate",))
    inputs = {**artifacts, "model": [fakes.artifact(standard_artifacts.Model, tmp_path / "model")]}
    made = gather(inputs, PARAMETERS, "", report().when)
    assert len(made.answers.problems) == 1 and "interpolate" in made.answers.problems[0]
    assert made.answers.generated is not None and made.answers.codes is not None


@pytest.mark.parametrize(
    "case",
    [
        {"shape": (16, 6, 3), "latent_dim": 1, "labels": ()},
        {"shape": (6, 6, 1), "latent_dim": 512, "labels": tuple(f"label {i}" for i in range(1000)), "pictures": 2200},
        {"shape": (9, 9, 1), "latent_dim": 2, "labels": ("only",), "pictures": 2},
    ],
    ids=["color, no labels, one dimension", "many labels, many dimensions", "one held-out picture"],
)
def test_other_shapes_of_runs(case: dict, tmp_path: Path) -> None:
    page = run(fakes.write_artifacts(tmp_path / "run", **case), tmp_path / "report")
    assert "Pushed as version 3" in page.words


def test_artifacts_without_their_files(artifacts: Artifacts, tmp_path: Path) -> None:
    for name in ("examples", "run"):
        (tmp_path / name).mkdir()
    inputs = {
        **artifacts,
        "examples": [fakes.artifact(standard_artifacts.Examples, tmp_path / "examples")],
        "model_run": [fakes.artifact(standard_artifacts.ModelRun, tmp_path / "run")],
    }
    words = run(inputs, tmp_path / "report").words
    assert "No training history was recorded." in words and "No sample pictures could be read." in words


def test_pictures_of_any_kind_are_shown_at_the_models_size(artifacts: Artifacts, tmp_path: Path) -> None:
    color = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    files = [fakes.png(color), fakes.png(color, "RGBA"), fakes.png(color, "L"), fakes.png(color, "P")]
    fakes.write_examples(tmp_path / "examples", {"train": [(f, "") for f in files], "eval": [(f, "") for f in files]})
    inputs = {**artifacts, "examples": [fakes.artifact(standard_artifacts.Examples, tmp_path / "examples")]}
    made = gather(inputs, PARAMETERS, "", report().when)
    assert made.answers.problems == []
    assert made.answers.originals.shape == (4, 12, 16, 1)


def test_held_out_pictures_are_chosen_evenly_over_both_splits(tmp_path: Path) -> None:
    files = [(str(i).encode(), "") for i in range(30)]
    fakes.write_examples(tmp_path, {"train": [(b"no", "")], "eval": files[:20], "test": files[20:]})
    assert [int(p.encoded) for p in read_held_out(str(tmp_path), 10)] == list(range(0, 30, 3))
    assert len(read_held_out(str(tmp_path), 100)) == 30


def test_labels_take_turns() -> None:
    made = [Picture(b"", "a")] * 90 + [Picture(b"", "b")] * 9 + [Picture(b"", "c")]
    chosen = varied(made, 9, seed=1)
    assert sorted(made[i].label for i in chosen) == ["a"] * 4 + ["b"] * 4 + ["c"]
    assert chosen == varied(made, 9, seed=1) and len(set(chosen)) == 9
    assert varied([], 5, 0) == []
    assert len(varied(made, 500, 0)) == 100


def test_component_takes_optional_inputs(artifacts: Artifacts) -> None:
    channels = {name: channel_utils.as_channel(found) for name, found in artifacts.items()}
    full = ReportComponent(**channels, title="insects", config="", code="abc", seed=1)
    assert full.outputs["report"].type is Report
    optional = ("infra_blessing", "pushed_model")
    ReportComponent(**{n: c for n, c in channels.items() if n not in optional}, title="insects")


def test_what_changed_since_the_last_blessed_model(artifacts: Artifacts, tmp_path: Path) -> None:
    """By the descriptions of both models, and the Evaluator's figures on the same pictures."""
    folders = {}
    for name, epochs, code in (("baseline_model", 20, "a" * 16), ("model", 30, "b" * 16)):
        folders[name] = tmp_path / name
        serving = shutil.copytree(artifacts["model"][0].uri, folders[name]) / "Format-Serving"
        about = json.loads((serving / "model.json").read_text())
        (serving / "model.json").write_text(json.dumps({**about, "code": code, "pictures": {"train": epochs}}))
        (serving / "config.yaml").write_text(f"training:\n  epochs: {epochs}\n")
    given = {name: [fakes.artifact(standard_artifacts.Model, folder)] for name, folder in folders.items()}
    now, before = {"elbo": -239.0, "kl": 14.5}, {"elbo": -240.0, "kl": 14.0}
    fakes.write_evaluation(tmp_path / "e", {"": now}, baseline=before, bound=-300)
    given["evaluation"] = [fakes.artifact(standard_artifacts.ModelEvaluation, tmp_path / "e")]
    parameters = {**PARAMETERS, "config": "evaluation:\n  max_drop: 0.7\n"}
    found = gather({**artifacts, **given}, parameters, "1", datetime(2026, 1, 1))
    assert found.changes is not None and found.changes.changes == [
        ("data", "train pictures", "20", "30"),
        ("configuration", "training.epochs", "20", "30"),
        ("code", "hash of the trainer's code", "a" * 12, "b" * 12),
    ]
    words = "This model is better than the last blessed model: its ELBO is 1.00 nats higher; the noise of training is 0.14"
    assert found.changes.sentence == f"{words} (one standard deviation of a difference)."
    page = Page(render(found))
    assert "Changes since the last blessed model" in page.words and found.changes.sentence in page.words


def test_the_nearest_training_picture_of_each_generated_one(artifacts: Artifacts, tmp_path: Path) -> None:
    page = run(artifacts, tmp_path)
    assert "Below each, the nearest of 20 training pictures" in page.words
    training = np.random.default_rng(0).integers(0, 256, (9, 6, 4, 3), np.uint8)
    noisy = np.clip(training[[4, 0, 8]].astype(int) + 9, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(nearest(noisy, training), training[[4, 0, 8]])
    assert nearest(None, training) is None and nearest(noisy, training[:0]) is None
