"""The JSON of docs/serving.md for TensorFlow Serving's REST API."""

from __future__ import annotations

import base64
import json
import re

import pytest
import tensorflow as tf

from tests.project import ROOT
from tests.trainer.export.models import PICTURES, Exported

BLOCK = re.compile(r"^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BODIES = [json.loads(text) for text in BLOCK.findall((ROOT / "docs/serving.md").read_text(encoding="utf-8"))]


def parsed(value: object) -> object:
    """What TensorFlow Serving makes of a value: bytes of an object with "b64", where the page says PNG those of a picture."""
    if isinstance(value, dict):
        assert list(value) == ["b64"]
        return PICTURES[0] if value["b64"] == "PNG" else base64.b64decode(value["b64"])
    return [parsed(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body["signature_name"])
def test_each_body_is_a_request_of_its_signature(exported: Exported, body: dict) -> None:
    assert set(body) == {"signature_name", "inputs"}
    signature = exported.loaded.signatures[body["signature_name"]]
    types = {key: spec.dtype for key, spec in signature.structured_input_signature[1].items()}
    assert set(body["inputs"]) == set(types)
    answer = signature(**{key: tf.constant(parsed(value), types[key]) for key, value in body["inputs"].items()})
    expected = body["inputs"].get("count") or body["inputs"].get("steps") or len(next(iter(body["inputs"].values())))
    assert {len(value) for value in answer.values()} == {expected}


def test_every_signature_but_that_of_the_evaluator_has_a_body(exported: Exported) -> None:
    assert {body["signature_name"] for body in BODIES} == set(exported.signatures) - {"evaluate"}
