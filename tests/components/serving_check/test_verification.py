"""Exports that are as they should be, and every way in which one may not be."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.serving_check import check, clean_process
from components.serving_check.contract import OPTIONAL, SIGNATURES
from components.serving_check.verification import check_model
from serving.manifest import write_manifest
from tests.serving import tiny_model
from trainer.golden import load_golden, save_golden

TIMEOUT = 60


def judge(model: Path, model_run: Path, timeout: float = TIMEOUT) -> dict:
    report = check_model(str(model), str(model_run / "golden"), timeout)
    assert report["blessed"] == (not report["reasons"])
    assert all("\n" not in reason for reason in report["reasons"])
    return report


@pytest.fixture
def export(model: Path, tmp_path: Path) -> Path:
    """A copy of the good export, to be spoilt."""
    return Path(shutil.copytree(model / "Format-Serving", tmp_path / "export"))


def test_a_good_export_is_blessed(model: Path, model_run: Path) -> None:
    report = judge(model / "Format-Serving", model_run)
    assert report["blessed"], report["reasons"]
    assert report["tensorflow"] == tf.__version__ and report["load_milliseconds"] > 0
    assert set(report["signatures"]) == set(SIGNATURES)
    for verdict in report["signatures"].values():
        assert verdict["ok"] and verdict["max_difference"] < 1e-3 and verdict["milliseconds"] > 0


def test_the_process_is_clean(model: Path, model_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    modules = judge(model / "Format-Serving", model_run)["modules"]
    assert {"numpy", "c_api", "golden"} <= set(modules)
    assert not {"tensorflow", "tfx", "keras", "components", "serving", "trainer", "pipeline", "PIL"} & set(modules)


def test_another_models_weights_are_refused(model_run: Path, tmp_path: Path) -> None:
    tampered = tiny_model.TinyModel()
    weights = tampered.decoder.numpy()
    weights[0, 0] += 1.0
    tampered.decoder.assign(weights)
    report = judge(tiny_model.save(tampered, tmp_path / "export"), model_run)
    refused = {name for name, verdict in report["signatures"].items() if not verdict["ok"]}
    assert refused == set(SIGNATURES) - {"encode"}
    assert any("generate_png: png_bytes differs in" in reason for reason in report["reasons"])


def test_weights_damaged_on_disk_are_refused(export: Path, model_run: Path) -> None:
    (data,) = (export / "variables").glob("variables.data*")
    content = bytearray(data.read_bytes())
    content[100] ^= 0xFF
    data.write_bytes(content)
    assert "has been changed since it was exported: variables/variables.data" in judge(export, model_run)["reasons"][0]
    write_manifest(export)
    assert "cannot load it" in judge(export, model_run)["reasons"][0]


def test_weights_missing_are_refused(export: Path, model_run: Path) -> None:
    shutil.rmtree(export / "variables")
    write_manifest(export)
    report = judge(export, model_run)
    assert not report["blessed"]
    assert "Could not find variable" in report["signatures"]["encode"]["reason"]


def test_a_missing_signature_is_refused(model_run: Path, tmp_path: Path) -> None:
    export = tiny_model.save(tiny_model.TinyModel(), tmp_path / "export", without=("evaluate",))
    assert judge(export, model_run)["reasons"] == ["evaluate: the exported model has no such signature"]


def test_a_missing_output_is_refused(model_run: Path, tmp_path: Path) -> None:
    class Silent(tiny_model.TinyModel):
        def score(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
            return {name: value for name, value in super().score(image_bytes).items() if name != "kl"}

        def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"elbo": super().evaluate(examples)["elbo"]}

    reasons = judge(tiny_model.save(Silent(), tmp_path / "export"), model_run)["reasons"]
    assert reasons == [
        "score: the exported signature has no output kl",
        "evaluate: the exported signature has no output reconstruction, kl, importance_weighted",
    ]


def test_answers_that_depend_on_the_batch_are_refused(tmp_path: Path) -> None:
    class Sociable(tiny_model.TinyModel):
        def encode(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
            answers = super().encode(image_bytes)
            return {**answers, "mean": answers["mean"] - tf.reduce_mean(answers["mean"], axis=0)}

    class OfOneMind(tiny_model.TinyModel):
        def generate(self, count: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor) -> dict[str, tf.Tensor]:
            return super().generate(tf.minimum(count, 6), seed, temperature)

    for kind, words in ((Sociable, "when called row by row"), (OfOneMind, "are not 7 pictures, as requested")):
        folder = tmp_path / kind.__name__
        save_golden(folder / "golden", tiny_model.requests(), tiny_model.answers(kind()))
        reasons = judge(tiny_model.save(kind(), folder / "export"), folder)["reasons"]
        assert reasons and all(words in reason for reason in reasons)


def test_an_export_that_only_python_can_run_is_refused(model_run: Path, tmp_path: Path) -> None:
    class KerasModel(tiny_model.TinyModel):
        """Its decoder is a Keras model, whose variables the SavedModel does not list as its own."""

        def __init__(self) -> None:
            super().__init__()
            self.network = keras.Sequential([keras.Input([4]), keras.layers.Dense(64, use_bias=False)])
            self.network.set_weights([self.decoder.numpy()])

        def _pixels(self, latents: tf.Tensor) -> tf.Tensor:
            return tf.clip_by_value(tf.sigmoid(self.network(latents)), 1e-3, 1 - 1e-3)

    export = tiny_model.save(KerasModel(), tmp_path / "export")
    latents = tf.constant(tiny_model.requests()["serving_default"]["latents"])
    answer = tf.saved_model.load(str(export)).signatures["serving_default"](latents=latents)["images"]
    np.testing.assert_allclose(answer, tiny_model.TinyModel().decode(latents)["images"], atol=1)

    report = judge(export, model_run)
    assert "Could not find variable" in report["signatures"]["serving_default"]["reason"]
    assert report["signatures"]["encode"]["ok"]


@pytest.mark.parametrize("kept", [0, 100, -1])
def test_a_saved_model_cut_short_is_refused(export: Path, model_run: Path, kept: int) -> None:
    file = export / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:kept])
    assert "has been changed since it was exported: saved_model.pb" in judge(export, model_run)["reasons"][0]
    write_manifest(export)
    assert "cannot be read" in judge(export, model_run)["reasons"][0]


def test_a_graph_that_the_runtime_cannot_parse_is_refused(export: Path, model_run: Path) -> None:
    file = export / "saved_model.pb"
    file.write_bytes(file.read_bytes().replace(b"StatefulPartitionedCall", b"StatefulPartitionedBall"))
    write_manifest(export)
    report = judge(export, model_run)
    assert "cannot load it" in report["reasons"][0] and report["load_milliseconds"] is None
    assert not any(verdict["ok"] for verdict in report["signatures"].values())


def test_an_export_without_its_manifest_is_refused(export: Path, model_run: Path) -> None:
    (export / "manifest.json").unlink()
    assert "has no manifest.json" in judge(export, model_run)["reasons"][0]


def test_missing_or_damaged_golden_answers_are_refused(model: Path, model_run: Path, tmp_path: Path) -> None:
    assert "missing" in judge(model / "Format-Serving", tmp_path / "nowhere")["reasons"][0]
    assert "missing" in judge(tmp_path / "nowhere", model_run)["reasons"][0]

    inputs, answers = load_golden(model_run / "golden")
    save_golden(tmp_path / "some" / "golden", inputs, {name: answers[name] for name in answers if name != "score"})
    reasons = judge(model / "Format-Serving", tmp_path / "some")["reasons"]
    assert reasons == ["score: the trainer stored no golden answer for it"]

    (tmp_path / "some" / "golden" / "answers.npz").write_bytes(b"PK no archive")
    assert "damaged" in judge(model / "Format-Serving", tmp_path / "some")["reasons"][0]


@pytest.mark.parametrize(
    ("program", "timeout", "words"),
    [
        ("__import__('os').abort()", TIMEOUT, r"crashed on it \(SIGABRT\)"),
        ("time.sleep(60)", 4, "within 4 seconds"),
        ("sys.exit('no such library')", TIMEOUT, "ended with status 1: no such library"),
    ],
)
def test_the_end_of_the_process_is_survived(
    model: Path,
    model_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    timeout: float,
    words: str,
) -> None:
    source, line = Path(check.__file__).read_text(encoding="utf-8"), "write_line(signature=signature, milliseconds=taken)"
    assert line in source
    script = tmp_path / "check.py"
    script.write_text(source.replace(line, f"{program} if signature == 'encode' else {line}"), encoding="utf-8")
    monkeypatch.setattr(clean_process.check, "__file__", str(script))
    report = judge(model / "Format-Serving", model_run, timeout)
    (reason,) = report["reasons"]
    assert re.search(words, reason)
    assert report["signatures"]["serving_default"]["ok"]
    assert report["signatures"]["encode"]["reason"] == "it got no answer"


def test_an_output_beyond_the_contract_is_checked_too(model: Path, model_run: Path, tmp_path: Path) -> None:
    inputs, answers = load_golden(model_run / "golden")
    answers["evaluate"]["gain"] = answers["evaluate"]["elbo"]
    save_golden(tmp_path / "golden", inputs, answers)
    reasons = judge(model / "Format-Serving", tmp_path)["reasons"]
    assert reasons == ["evaluate: the exported signature has no output gain"]


def test_a_conditional_model_is_asked_for_a_label(conditional: Path) -> None:
    report = judge(conditional / "export", conditional)
    assert report["blessed"], report["reasons"]
    assert set(report["signatures"]) == {*SIGNATURES, *OPTIONAL}
    assert all(verdict["ok"] and verdict["milliseconds"] > 0 for verdict in report["signatures"].values())


def test_an_export_that_confuses_labels_is_refused(conditional: Path, tmp_path: Path) -> None:
    class Confused(tiny_model.ConditionalModel):
        def _shift(self, label: tf.Tensor) -> tf.Tensor:
            return super()._shift(label)[:, ::-1]

    report = judge(tiny_model.save(Confused(), tmp_path / "export"), conditional)
    refused = {name for name, verdict in report["signatures"].items() if not verdict["ok"]}
    assert refused == {"generate", "generate_png", "generate_prior", "decode_label"}


def test_a_golden_request_without_the_label_does_not_do(conditional: Path, tmp_path: Path) -> None:
    inputs, answers = load_golden(conditional / "golden")
    del inputs["generate"]["label"]
    save_golden(tmp_path / "golden", inputs, answers)
    reasons = judge(conditional / "export", tmp_path)["reasons"]
    assert reasons == ["generate: the trainer stored no golden answer for it"]


@pytest.mark.parametrize("name", OPTIONAL)
def test_what_a_model_may_answer_beside_is_checked_where_export_or_trainer_has_it(
    conditional: Path, tmp_path: Path, name: str
) -> None:
    inputs, answers = load_golden(conditional / "golden")
    for tensors in (inputs, answers):
        del tensors[name]
    save_golden(tmp_path / "golden", inputs, answers)
    assert judge(conditional / "export", tmp_path)["reasons"] == [f"{name}: the trainer stored no golden answer for it"]
    export = tiny_model.save(tiny_model.ConditionalModel(), tmp_path / "export", without=(name,))
    assert judge(export, conditional)["reasons"] == [f"{name}: the exported model has no such signature"]
    report = judge(export, tmp_path)
    assert report["blessed"] and name not in report["signatures"], "neither: it is none of this model's"
