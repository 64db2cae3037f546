"""Which split a picture belongs to by its content."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import TypeAdapter, ValidationError

from components.image_example_gen.config import DataConfig
from components.image_example_gen.layout import Labels
from components.image_example_gen.splits import SplitRule, split_in_name

HASHES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(5000)]


def sides(rule):
    return [rule.split_of(None, sha256, "a.png") for sha256 in HASHES]


def test_shares_are_kept():
    taken = sides(SplitRule(eval_share=0.1, test_share=0.2))
    assert taken.count("eval") == pytest.approx(500, abs=75)
    assert taken.count("test") == pytest.approx(1000, abs=100)


def test_changing_one_share_moves_nothing_into_or_out_of_the_other():
    before, after = sides(SplitRule(0.1, 0.2)), sides(SplitRule(0.1, 0.0))
    assert {new for old, new in zip(before, after) if old == "eval"} == {"eval"}
    assert {new for old, new in zip(before, after) if old != "eval"} == {"train"}


def test_only_missing_splits_are_taken_from_training_pictures():
    rule = SplitRule.of({"train", "test"}, DataConfig())
    assert set(sides(rule)) == {"train", "eval"}
    assert rule.split_of("test", HASHES[0], "a.png") == "test"


@pytest.mark.parametrize("values", [{"eval_share": 0}, {"test_share": 0.5}, {"test_share": -1}, {"pictures_per_shard": 0}])
def test_limits_of_the_configuration(values):
    with pytest.raises(ValidationError):
        TypeAdapter(DataConfig).validate_python(values)


def test_the_configuration_of_no_test_split():
    assert TypeAdapter(DataConfig).validate_python({"test_share": 0, "label_names": ["a"]}).label_names == ("a",)


@pytest.mark.parametrize(
    "pattern, path, expected",
    [
        (r"([a-z]+)_\d+", "cat_17.png", ("cat", None)),
        (r"(?P<label>[a-z]+)_\d+", "x/dog_1.png", ("dog", None)),
        (r"(?P<split>train|val)-(?P<label>\w+)", "val-fox-3.png", ("fox", "eval")),
        (r"(?P<split>test)", "test-3.png", ("", "test")),
        (r"(cat)?\d", "7.png", ("", None)),
        (r"(cat)", "dog.png", ("", None)),
    ],
)
def test_labels_by_a_pattern(pattern, path, expected):
    assert Labels(pattern=pattern).of(path) == expected


def test_own_splits_do_not_count_where_content_decides():
    rule = SplitRule.of({"train", "test"}, DataConfig(splits="content"))
    assert {rule.split_of("test", sha256, "a.png") for sha256 in HASHES} == {"train", "eval", "test"}


@pytest.mark.parametrize(
    "name, split",
    [
        ("x_train", "train"),
        ("cats-val-00001", "eval"),
        ("test", "test"),
        ("train_test", None),
        ("trainer", None),
        ("t10k-x", "test"),
    ],
)
def test_splits_in_names(name, split):
    assert split_in_name(name) == split


@pytest.mark.parametrize(
    "values", [{"label_pattern": "("}, {"label_pattern": "cat"}, {"label_pattern": "(c)", "label_file": "x.csv"}]
)
def test_labels_of_which_the_configuration_makes_no_sense(values):
    with pytest.raises(ValidationError):
        TypeAdapter(DataConfig).validate_python(values)
