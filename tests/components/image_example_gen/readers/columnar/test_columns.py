"""Which columns of a table are pictures and labels."""

from __future__ import annotations

import pyarrow as pa
import pytest

from components.image_example_gen.config import DataConfig
from components.image_example_gen.readers.columnar.columns import choose_columns, label_texts
from tests.components.image_example_gen.readers.columnar.tables import CLASSES, IMAGE, features

BYTES, TEXT, NUMBER = pa.binary(), pa.string(), pa.int64()


def choose(schema, metadata=None, **config):
    return choose_columns(pa.schema(schema, metadata), DataConfig(**config))


@pytest.mark.parametrize(
    "schema, metadata, image",
    [
        ([("x", IMAGE)], features(x="Image"), ("x", "bytes")),
        ([("a", IMAGE), ("x", IMAGE)], features(x="Image"), ("x", "bytes")),
        ([("mask", IMAGE), ("image", IMAGE)], features(mask="Image", image="Image"), ("image", "bytes")),
        ([("image", IMAGE)], None, ("image", "bytes")),
        ([("image", BYTES)], None, ("image",)),
        ([("img", pa.large_binary()), ("other", BYTES)], None, ("img",)),
        ([("image", TEXT), ("jpg", BYTES)], None, ("jpg",)),
        ([("Mask", BYTES), ("IMG", BYTES)], None, ("IMG",)),
        ([("Image", BYTES), ("image", BYTES)], None, ("image",)),
        ([("x", BYTES), ("y", NUMBER)], None, ("x",)),
        ([("x", pa.struct([("path", TEXT), ("content", BYTES)]))], None, ("x", "content")),
    ],
)
def test_pictures_by_metadata_then_by_name_then_the_only_bytes(schema, metadata, image):
    assert choose(schema, metadata).image == image


@pytest.mark.parametrize(
    "schema, metadata, label, names",
    [
        ([("label", NUMBER)], features(label=CLASSES), "label", tuple(CLASSES)),
        ([("odd", NUMBER)], features(odd=CLASSES), "odd", tuple(CLASSES)),
        ([("odd", NUMBER)], None, "", ()),
        ([("label", NUMBER), ("category", TEXT)], None, "category", ()),
        ([("label", NUMBER), ("category", TEXT)], features(label=CLASSES), "label", tuple(CLASSES)),
        ([("coarse_label", NUMBER), ("fine_label", NUMBER)], features(fine_label=["a"], coarse_label=["b"]), "fine_label", ("a",)),
        ([("labels", pa.list_(NUMBER)), ("target", pa.int8())], None, "target", ()),
        ([("label", pa.dictionary(pa.int8(), TEXT))], None, "label", ()),
        ([("caption", TEXT)], None, "", ()),
        ([("Label", NUMBER)], None, "Label", ()),
        ([("LABEL", TEXT), ("Class_ID", NUMBER)], None, "LABEL", ()),
        ([("Label", NUMBER), ("label", NUMBER)], None, "label", ()),
        ([("split", NUMBER), ("label", NUMBER)], features(split=["train", "test"]), "label", ()),
    ],
)
def test_labels_by_name_those_that_speak_first(schema, metadata, label, names):
    found = choose([("image", BYTES), *schema], metadata)
    assert found.label == ((label,) if label else ()) and found.names == names


def test_what_is_not_used_is_said():
    schema = [("image", BYTES), ("png", BYTES), ("coarse_label", NUMBER), ("fine_label", NUMBER), ("labels", pa.list_(TEXT))]
    assert choose(schema).notes == (
        "the column png of pictures is not used: data.record_image names it",
        "the column coarse_label is not used: data.record_label names it",
        "the column labels is not used for labels: it holds no single text or whole number",
    )


def test_what_the_configuration_names_counts():
    inside = pa.struct([("photo", BYTES), ("kind", TEXT)])
    schema = [("image", BYTES), ("label", NUMBER), ("deep", inside), ("a.b", BYTES)]
    found = choose(schema, record_image="deep.photo", record_label="deep.kind")
    assert (found.image, found.label) == (("deep", "photo"), ("deep", "kind"))
    assert choose(schema, record_image="a.b").image == ("a.b",) and choose(schema, record_image="deep").image == ("deep", "photo")


@pytest.mark.parametrize(
    "schema, config, said",
    [
        ([("a", NUMBER), ("b", TEXT)], {}, "no column of pictures; it has a, b: data.record_image names one"),
        ([("a", BYTES), ("b", BYTES)], {}, "no column of pictures; it has a, b: data.record_image names one"),
        ([], {}, "no column of pictures; it has none: data.record_image names one"),
        ([("images", pa.list_(IMAGE))], {}, "the column images holds lists of pictures, which are not read"),
        ([("a", BYTES)], {"record_image": "b"}, "no column b; it has a: data.record_image names one"),
        ([("a", TEXT)], {"record_image": "a"}, "the column a holds no pictures; it has a: data.record_image names one"),
        ([("image", BYTES)], {"record_label": "b"}, "no column b; it has image: data.record_label names one"),
        ([("image", BYTES)], {"record_label": "image"}, "the column image holds no single label; it has image: data.record_label"),
    ],
)
def test_what_fits_nothing_is_refused_with_what_there_is(schema, config, said):
    reason = choose(schema, **config)
    assert reason.startswith(said) and len(reason) < 120


@pytest.mark.parametrize("names", [[f"column_{i}" for i in range(5000)], ["x" * 5000], ["a\nb\x1b[31m", "ü" * 300]])
def test_a_refusal_is_one_short_line_whatever_columns_are_called(names):
    reason = choose([(name, NUMBER) for name in names])
    assert len(reason) < 120 and reason.isprintable() and reason.endswith(": data.record_image names one")
    assert len(choose([(name, NUMBER) for name in names], record_image="z" * 5000)) < 120


@pytest.mark.parametrize(
    "metadata", [b"", b"[]", b"{}", b"[" * 100_000, b'{"info": {"features": []}}', b'{"info": {"features": {"image": 7}}}', b"\xff"]
)
def test_metadata_that_makes_no_sense_is_passed_over(metadata):
    found = choose([("image", IMAGE), ("label", NUMBER)], {b"huggingface": metadata})
    assert (found.image, found.label, found.names) == (("image", "bytes"), ("label",), ())


def test_labels_as_text():
    assert label_texts([0, 2, 7, -1, None, "x", True, b"y"], (), ("a", "b", "c")) == ["a", "c", "7", "", "", "x", "true", "y"]
    assert label_texts([0, 1, -1], ("cat", "dog"), ("a", "b")) == ["cat", "dog", ""]
    assert label_texts([0, -1], (), ()) == ["0", "-1"]


@pytest.mark.parametrize(
    "schema, metadata, split, notes",
    [
        ([("split", TEXT)], None, "split", 0),
        ([("Subset", TEXT), ("SPLIT", pa.dictionary(pa.int8(), TEXT))], None, "SPLIT", 0),
        ([("split", NUMBER)], features(split=["train", "test"]), "split", 0),
        ([("split", NUMBER)], None, "", 1),
        ([("split", pa.list_(TEXT))], None, "", 1),
        ([("set", NUMBER)], None, "", 0),
    ],
)
def test_splits_by_name(schema, metadata, split, notes):
    columns = choose([("image", IMAGE), *schema], metadata)
    assert columns.split == ((split,) if split else ())
    assert len(columns.notes) == notes and all("is not used for splits: it holds no text" in note for note in columns.notes)
    assert choose([("image", IMAGE), *schema], metadata, splits="content").split == ()
