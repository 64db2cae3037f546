"""Exports in each format: what other programs compute with them, and that nothing is written if it is not the SavedModel's."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from common.errors import InputError, MachineFault
from pipeline.cli.export import COMMANDS
from serving.manifest import write_manifest
from serving.pushed import PushedModel
from tests.trainer.tiny import CONFIG, make_vae
from trainer.formats import FORMATS, export_model
from trainer.formats.export import TOLERANCE, difference
from trainer.formats.networks import Trained
from trainer.formats.writers import Written
from trainer.networks import NETWORKS

CLI = click.Group("darkroom", commands={command.name: command for command in COMMANDS})
# Of libraries that the project does without: `make test` installs them, and `pip install darkroom-tfx[export]`.
needs = {"onnx": ["tf2onnx", "onnxruntime"], "litert": ["ai_edge_litert"], "weights": ["safetensors"]}


def skip_without(form: str) -> None:
    for library in needs.get(form, []):
        pytest.importorskip(library, reason=f"{library} is not installed: it is in the extra `export`")


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(CLI, ["export", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


def codes(count: int, dim: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((count, dim)).astype(np.float32)


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        *((form, "plain") for form in FORMATS),
        pytest.param("litert", "conditional", marks=pytest.mark.slow),
        pytest.param("onnx", "two levels", marks=pytest.mark.slow),
    ],
)
def test_what_is_written_is_described_and_close_to_the_saved_model(
    form: str, kind: str, pushed: Callable[[str], Path], tmp_path: Path
) -> None:
    skip_without(form)
    out = tmp_path / "new" / "out"
    results = export_model(pushed(kind), form, out)
    assert [result.network for result in results] == ["decoder", "encoder"]
    about = json.loads((out / "export.json").read_text())
    assert about["format"] == form and about["model"]["version"] == "3" and len(about["model"]["saved_model_sha256"]) == 64
    assert {path.name for path in out.iterdir()} == {"export.json", *(result.file for result in results)}
    for result in results:
        assert 0 <= result.difference <= TOLERANCE and result.megabytes > 0 and result.milliseconds > 0
        assert about["networks"][result.network]["largest_difference"] == result.difference
    assert about["labels"] == (["b", "a", "ü"] if kind == "conditional" else [])


def test_onnx_runtime_answers_as_the_saved_model_does(pushed: Callable[[str], Path], tmp_path: Path) -> None:
    """Read from disk, with other numbers of pictures than the check's: a code, its picture, and the picture's code again."""
    skip_without("onnx")
    import onnxruntime

    export_model(pushed("conditional"), "onnx", tmp_path / "out")
    assert json.loads((tmp_path / "out/export.json").read_text())["labels"] == ["b", "a", "ü"]
    model, latents = PushedModel(pushed("conditional")), codes(7, 2)
    decoder, encoder = (onnxruntime.InferenceSession(str(tmp_path / f"out/{name}.onnx")) for name in ("decoder", "encoder"))
    assert [(given.name, given.shape) for given in decoder.get_inputs()] == [("latents", ["n", 2]), ("label_shares", ["n", 3])]
    shares = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2, 0]]
    names = [b"b", b"a", "ü".encode(), b"b", b"a", "ü".encode(), b"b"]
    (pixels,) = decoder.run(["pixels"], {"latents": latents, "label_shares": shares})
    levels = model.call("decode_label", latents=latents, label=names)["images"]
    assert levels.std() > 10 and np.abs(255 * pixels - levels).max() <= 0.51
    (unlabelled,) = decoder.run(["pixels"], {"latents": latents, "label_shares": 0 * shares})
    assert np.abs(255 * unlabelled - model.decode(latents)).max() <= 0.51
    mean, log_variance = encoder.run(["mean", "log_variance"], {"pixels": pixels, "label_shares": shares})
    assert mean.shape == log_variance.shape == (7, 2)


def test_litert_takes_any_number_of_pictures(pushed: Callable[[str], Path], tmp_path: Path) -> None:
    skip_without("litert")
    from ai_edge_litert.interpreter import Interpreter

    export_model(pushed("plain"), "litert", tmp_path / "out")
    runner = Interpreter(str(tmp_path / "out/decoder.tflite")).get_signature_runner("serving_default")
    model = PushedModel(pushed("plain"))
    for count in (1, 5):
        pixels = runner(latents=codes(count, 2))["pixels"]
        assert np.abs(255 * pixels - model.decode(codes(count, 2))).max() <= 0.51


def test_the_command_prints_sizes_and_times(pushed: Callable[[str], Path], tmp_path: Path) -> None:
    lines = run("--model", pushed("plain"), "--format", "savedmodel", "--out", tmp_path / "out").stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[1:5]] == ["decoder", "encoder", "SavedModel, decoder", "SavedModel, encoder"]
    assert all(" MB " in line and " ms" in line for line in lines[1:5])
    assert lines[5] == f"wrote decoder and encoder to {tmp_path / 'out'}/"


def test_values_for_programs(pushed: Callable[[str], Path], tmp_path: Path) -> None:
    found = json.loads(run("--model", pushed("plain"), "--format", "savedmodel", "--out", tmp_path / "out", "--json").stdout)
    assert [network["network"] for network in found["networks"]] == ["decoder", "encoder"]
    assert found["out"] == str(tmp_path / "out") and found["networks"][0]["difference"] <= TOLERANCE


def test_mistakes_are_one_line(pushed: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    given = ("--model", pushed("plain"), "--format")
    for arguments, words in (
        ((*given, "onnx", "--out", tmp_path / "full"), "exists already: name a new or empty folder"),
        ((*given, "onnx", "--out", tmp_path / "full/file"), "exists already: name a new or empty folder"),
        ((*given, "coreml", "--out", tmp_path / "out"), "'coreml' is not one of 'onnx', 'litert', 'savedmodel', 'weights'"),
        (("--model", tmp_path / "none", "--format", "onnx", "--out", tmp_path / "out"), "there is no folder"),
    ):
        (line,) = run(*arguments, status=2).stderr.splitlines()
        assert words in line
    monkeypatch.setitem(__import__("sys").modules, "tf2onnx", None)
    (line,) = run(*given, "onnx", "--out", tmp_path / "out", status=2).stderr.splitlines()
    assert "--format onnx needs tf2onnx: pip install 'darkroom-tfx[export]'" in line
    assert sorted(os.listdir(tmp_path)) == ["full"]


def test_a_network_that_differs_is_not_written(
    pushed: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_another(trained: Trained, folder: Path) -> dict[str, Written]:
        kernel = next(weight for weight in trained.vae.decoder.weights if weight.path.startswith("output"))
        kernel.assign(1.01 * kernel)
        return FORMATS["savedmodel"](trained, folder)

    monkeypatch.setitem(FORMATS, "onnx", write_another)
    with pytest.raises(MachineFault, match=r"the decoder in decoder differs from the SavedModel by .*: nothing was written"):
        export_model(pushed("plain"), "onnx", tmp_path / "out")
    assert os.listdir(tmp_path) == []


def test_weights_of_another_model_are_found(pushed: Callable[[str], Path], tmp_path: Path) -> None:
    for name, words, kind in (
        ("weights.npz", "is not of this SavedModel", MachineFault),
        ("config.yaml", "built again", InputError),
    ):
        folder = shutil.copytree(pushed("plain"), tmp_path / name / "3")
        if name == "weights.npz":
            with np.load(folder / name) as saved:
                np.savez(folder / name, **{key: value + 0.01 for key, value in saved.items()})
        else:
            (folder / name).write_text((folder / name).read_text().replace("- 16", "- 17"))
        write_manifest(folder)
        with pytest.raises(kind, match=words):
            export_model(folder, "savedmodel", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nan_and_shapes_are_differences() -> None:
    one = {"mean": np.ones((2, 3))}
    assert difference(one, one) == 0
    assert difference({"mean": np.full((2, 3), np.nan)}, one) == float("inf")
    assert difference({"mean": np.ones((2, 1))}, one) == difference({}, one) == float("inf")
    many = {"pixels": np.zeros(20_000)}
    changed = {"pixels": np.where(np.arange(20_000) == 7, 0.5, 0.0)}
    assert difference(changed, many) == 0.5 and difference(changed, many, may_differ=1e-4) == 0


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "litert"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous_bernoulli", "gaussian", "discretized_logistic_mixture"])
def test_every_network_and_likelihood(form: str, network: str, likelihood: str, tmp_path: Path) -> None:
    skip_without(form)
    sizes = {
        "hidden": (24, 20),
        "filters": (5, 7),
        "latent_dim": 6,
        "top_latent_dim": 2,
        "width": 12,
        "latent_channels": 2,
        "patch": 3,
    }
    vae = make_vae(spread=0.3, shape=(7, 10, 3), network=network, likelihood=likelihood, **sizes)
    trained = Trained(vae, CONFIG, [])
    written = FORMATS[form](trained, tmp_path)
    pictures = np.random.default_rng(0).random((30, 7, 10, 3), np.float32)
    for part in trained.networks():
        given = {"latents": codes(30, vae.latent_dim)} if part.name == "decoder" else {"pixels": pictures}
        assert difference(written[part.name].run(given), part.run(given)) <= TOLERANCE
