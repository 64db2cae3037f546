"""The C API client against TensorFlow's own Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.c_api import INVALID_ARGUMENT, Session, TensorFlowError, find_library
from serving.saved_model import SavedModel
from serving.signatures import read_signatures
from tests.serving import tiny_model


@pytest.fixture(scope="module")
def model(work: Path) -> Path:
    return work / "serving" / "3"


@pytest.fixture(scope="module")
def session(model: Path) -> Session:
    return Session(find_library(), model)


def test_signatures_are_those_that_tensorflow_reads(model: Path) -> None:
    expected = tf.saved_model.load(str(model)).signatures
    found = read_signatures((model / "saved_model.pb").read_bytes())
    assert set(found) == set(expected)
    for name, signature in found.items():
        inputs, outputs = expected[name].structured_input_signature[1], expected[name].structured_outputs
        for tensors, specs in ((signature.inputs, inputs), (signature.outputs, outputs)):
            assert {key: signature.shapes[tensor] for key, tensor in tensors.items()} == {
                key: tuple(spec.shape) for key, spec in specs.items()
            }


def agree(session: Session, model: Path, signature: str, kind: type[tiny_model.TinyModel]) -> None:
    """Puts the golden request to the runtime; it must answer what the model in memory does."""
    found = read_signatures((model / "saved_model.pb").read_bytes())[signature]
    request = tiny_model.requests(conditional=kind is tiny_model.ConditionalModel)[signature]
    expected = tiny_model.answers(kind())[signature]
    values = session.run({found.inputs[name]: value for name, value in request.items()}, list(found.outputs.values()))
    for name, value in zip(found.outputs, values):
        if isinstance(value, list):
            assert value == expected[name]
        else:
            assert value.dtype == expected[name].dtype
            np.testing.assert_allclose(value, expected[name], rtol=1e-5)


@pytest.mark.parametrize("signature", sorted(tiny_model.requests()))
def test_answers_are_those_of_the_model_in_memory(session: Session, model: Path, signature: str) -> None:
    agree(session, model, signature, tiny_model.TinyModel)


def test_a_label_is_one_string(conditional_work: Path) -> None:
    """A scalar of strings: as bytes, or as NumPy keeps it in the golden requests."""
    model = conditional_work / "serving" / "1"
    session = Session(find_library(), model)
    for signature in ("generate", "generate_png", "generate_prior", "decode_label"):
        agree(session, model, signature, tiny_model.ConditionalModel)
    found = read_signatures((model / "saved_model.pb").read_bytes())["generate"]
    request = {name: value for name, value in tiny_model.requests(conditional=True)["generate"].items() if name != "label"}

    def ask(label: object) -> np.ndarray:
        feeds = {found.inputs[name]: value for name, value in {**request, "label": label}.items()}
        return session.run(feeds, [found.outputs["images"]])[0]

    np.testing.assert_array_equal(ask("täglich".encode()), ask(np.array("täglich".encode())))
    assert not np.array_equal(ask(b""), ask(b"boot"))
    for wrong in ("boot", [b"boot", "sneaker"]):
        with pytest.raises(TypeError):
            ask(wrong)
    with pytest.raises(TensorFlowError) as caught:
        ask(b"hat")
    assert caught.value.code == INVALID_ARGUMENT
    session.close()


def test_no_rows_are_no_rows(session: Session, model: Path) -> None:
    found = read_signatures((model / "saved_model.pb").read_bytes())["serving_default"]
    (images,) = session.run({found.inputs["latents"]: np.zeros((0, 4), np.float32)}, [found.outputs["images"]])
    assert images.shape == (0, 8, 8, 1)


def test_strings_hold_any_bytes_and_many_calls_leave_the_session_well(session: Session, model: Path) -> None:
    found = read_signatures((model / "saved_model.pb").read_bytes())["encode"]
    for content in (b"", b"\0\0", b"x" * 100_000):
        with pytest.raises(TensorFlowError) as caught:
            session.run({found.inputs["image_bytes"]: [content]}, [found.outputs["mean"]])
        assert caught.value.code == INVALID_ARGUMENT
    (mean,) = session.run({found.inputs["image_bytes"]: [tiny_model.picture((8, 8, 1), 0)]}, [found.outputs["mean"]])
    assert np.isfinite(mean).all()


def test_a_value_of_another_kind_is_refused(session: Session, model: Path) -> None:
    found = read_signatures((model / "saved_model.pb").read_bytes())["generate"]
    request = {"count": np.float32(6.5), "seed": np.int64(1), "temperature": np.float32(1)}
    with pytest.raises(TypeError):
        session.run({found.inputs[name]: value for name, value in request.items()}, [found.outputs["images"]])
    with pytest.raises(TypeError):
        session.run(
            {read_signatures((model / "saved_model.pb").read_bytes())["encode"].inputs["image_bytes"]: ["text"]},
            [found.outputs["images"]],
        )


def test_a_missing_tensor_is_named(session: Session) -> None:
    with pytest.raises(TensorFlowError, match="no tensor nowhere:0"):
        session.run({}, ["nowhere:0"])


@pytest.mark.parametrize("kept", [0, 1, 1000, -1])
def test_a_saved_model_cut_short_is_refused(model: Path, kept: int) -> None:
    with pytest.raises(ValueError, match="cut short|no graph"):
        read_signatures((model / "saved_model.pb").read_bytes()[:kept])


def test_nothing_of_tensorflows_python_is_imported(model: Path) -> None:
    program = (
        "import sys; from serving.pushed import PushedModel; PushedModel(sys.argv[1]).generate(1, 7);"
        "sys.exit(sum(name in sys.modules for name in ('tensorflow', 'keras', 'tfx', 'trainer', 'components')))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(model)], cwd=root, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_a_model_in_another_file_system(model: Path) -> None:
    for file in (path for path in model.rglob("*") if path.is_file()):
        tf.io.gfile.makedirs(f"ram://model/{file.relative_to(model).parent}")
        tf.io.gfile.copy(str(file), f"ram://model/{file.relative_to(model)}")
    request = tiny_model.requests()["generate"]
    answers = [SavedModel(*place).call("generate", **request)["images"] for place in ((model,), ("ram://model", tf.io.gfile.GFile))]
    np.testing.assert_array_equal(*answers)
    with pytest.raises(tf.errors.NotFoundError):
        SavedModel("ram://nowhere", tf.io.gfile.GFile)
