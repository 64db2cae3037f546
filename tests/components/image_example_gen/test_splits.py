"""Which split a picture belongs to by its content."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import TypeAdapter, ValidationError

from components.image_example_gen.config import DataConfig
from components.image_example_gen.layout import Labels
from components.image_example_gen.splits import SplitRule, split_in_name, split_named

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
        ("trainX", "train"),
        ("xTest", "test"),
        ("testset-00001", "test"),
        ("latest", None),
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


@pytest.mark.parametrize(
    "split, names",
    [
        (
            "train",
            "train Training TRAIN train2017 train_1 TrainImages TRAINImages trainset train-set training_data 2017_train Trainingset",
        ),
        ("eval", "eval val Valid validation dev DevSet val-images evaluation_files"),
        ("test", "test TESTING test1 testset TestImages test_images Test-Data testimgs t10k"),
        (
            None,
            "trainer testament training_shoes contest latest protest devops train_test test_tubes images set 2017 value restrain",
        ),
    ],
)
def test_names_that_mean_a_split_as_a_whole(split, names):
    for name in names.split():
        assert split_named(name) == split, name
