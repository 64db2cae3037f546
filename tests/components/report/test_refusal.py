"""The page on pictures that the gate on data refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from components.report.refusal import Refusal, write_refusal
from tests.components.image_example_gen.ingestion import encode, ingest, picture
from trainer.config import PreprocessingConfig


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in")
    for label in ("cat", "fox <b>"):
        (folder / label).mkdir()
        for seed in range(30):
            (folder / label / f"{seed}.png").write_bytes(encode(picture(seed + 100 * len(label))))
    for seed in range(10):
        (folder / f"cat/black{seed}.png").write_bytes(encode(np.eye(8, dtype=np.uint8) * seed))
    (folder / "cat/broken.png").write_bytes(b"x")
    return str(ingest(folder, tmp_path_factory.mktemp("out") / "examples").uri)


def page(tmp_path, **changed) -> str:
    values = {
        "title": "Cats",
        "run_id": "1",
        "reasons": ["some"],
        "evidence": [],
        "examples": "",
        "before": "",
        "rejects": [],
    } | changed
    write_refusal(Refusal(**values), PreprocessingConfig(8, 8, 1), tmp_path / "report")
    return (tmp_path / "report/index.html").read_text()


def test_pictures_that_show_each_reason(tmp_path, examples):
    html = page(
        tmp_path,
        reasons=[
            "train pictures: 14% of them are near-black",
            "a label is new: 'fox <b>'",
            "brightness drifted from the last accepted pictures",
        ],
        evidence=[
            {"feature": "image/exposure", "values": ("near-black",), "drifted": False},
            {"feature": "image/label", "values": ("fox <b>",), "drifted": True},
            {"feature": "image/mean", "values": (), "drifted": True},
        ],
        examples=examples,
        before=examples,
    )
    sections = re.findall(r'<section id="([^"]+)">(.*?)</section>', html, re.DOTALL)
    pictures = {anchor: body.count("<img") for anchor, body in sections}
    assert pictures["reason-1"] == 10
    assert pictures["reason-2"] == 24 + 24 and pictures["reason-3"] == 48  # beside the pictures before
    assert "fox &lt;b&gt;" in html and "<b>'" not in html
    assert "cat/broken.png" in html and "Nothing was trained: 3 problems" in html


def test_a_label_that_has_vanished_is_shown_as_it_was(tmp_path, examples):
    evidence = [{"feature": "image/label", "values": ("cat",), "drifted": True}]
    html = page(tmp_path, reasons=["a label has vanished"], evidence=evidence, examples=examples, before=examples)
    assert html.count("<img") == 48


def test_refused_before_there_were_examples(tmp_path):
    html = page(tmp_path, rejects=[{"path": "a.png", "reason": "the file is empty"}] * 3)
    assert "3 files rejected" in html and "No pictures show this problem" in html
