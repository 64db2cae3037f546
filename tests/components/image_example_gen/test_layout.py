"""What folders are taken for: splits, labels, or neither."""

from __future__ import annotations

import pytest

from common.errors import InputError
from components.image_example_gen.layout import Labels, Layout


def labels_of(paths, splits="auto", labelled=True, unwrap=False):
    layout = Layout()
    for path in paths:
        layout.add(path)
    labels = layout.labels(splits, "pets", labelled, unwrap)
    return layout, labels, {path: labels.of(path) for path in paths}


@pytest.mark.parametrize(
    "train, held_out, split",
    [
        ("train", "test", "test"),
        ("training", "testing", "test"),
        ("Train", "TEST", "test"),
        ("train", "valid", "eval"),
        ("train", "dev", "eval"),
        ("TRAINING", "validation", "eval"),
        ("train2017", "val2017", "eval"),
        ("train", "test1", "test"),
        ("seg_train", "seg_test", "test"),
        ("train_images", "test_images", "test"),
        ("TrainImages", "TestImages", "test"),
        ("trainset", "valset", "eval"),
        ("trainA", "testA", "test"),
    ],
)
def test_folders_of_splits_by_all_their_names(train, held_out, split):
    *_, found = labels_of([f"{train}/cat/1.png", f"{train}/dog/2.png", f"{held_out}/cat/3.png"])
    assert list(found.values()) == [("cat", "train"), ("dog", "train"), ("cat", split)]


@pytest.mark.parametrize("above", ["animals", "a/b/c", "archive (1)", "/".join("abcdefghijkl")])
def test_splits_inside_folders_that_hold_all_pictures(above):
    layout, labels, found = labels_of([f"{above}/train/cat/1.png", f"{above}/test/cat/2.png"])
    assert list(found.values()) == [("cat", "train"), ("cat", "test")]
    assert layout.wrapper(labels) == above and layout.splits(labels) == {"train": 1, "test": 1}


def test_splits_inside_each_label():
    *_, found = labels_of(["cat/train/1.png", "dog/train/2.png", "dog/test/3.png"])
    assert list(found.values()) == [("cat", "train"), ("dog", "train"), ("dog", "test")]
    *_, found = labels_of(["bottle/train/good/1.png", "bottle/test/broken/2.png", "nut/test/good/3.png"])
    assert list(found.values()) == [("bottle/good", "train"), ("bottle/broken", "test"), ("nut/good", "test")]


def test_a_split_folder_that_holds_one_of_its_own_name():
    *_, found = labels_of(["seg_train/seg_train/sea/1.png", "seg_test/seg_test/sea/2.png"])
    assert list(found.values()) == [("sea", "train"), ("sea", "test")]
    *_, found = labels_of(["train/train/1.png", "train/bus/2.png", "test/train/3.png"])  # here it is a vehicle
    assert list(found.values()) == [("train", "train"), ("bus", "train"), ("train", "test")]


@pytest.mark.parametrize("stray", ["stray.png", "animals/stray.png"])
def test_pictures_beside_the_folders_of_splits_belong_to_none(stray):
    above = "animals/" if "/" in stray else ""
    layout, labels, found = labels_of([f"{above}train/cat/1.png", f"{above}test/cat/2.png", stray])
    assert found[stray] == ("", None) and layout.strays(labels) == 1
    assert {split for _, split in found.values()} == {"train", "test", None}


AMBIGUOUS = [
    ["train/1.png", "car/2.png"],
    ["train/1.png", "test/2.png", "extra/3.png"],
    ["cat/test/1.png", "dog/2.png"],
    ["animals/train/1.png", "plants/2.png"],
    ["seg_train/a/1.png", "seg_test/a/2.png", "seg_pred/3.png"],
]


@pytest.mark.parametrize("paths", AMBIGUOUS)
def test_a_folder_that_may_be_a_split_or_a_label_is_asked_about(paths):
    with pytest.raises(InputError, match="data.splits=labels") as caught:
        labels_of(paths)
    assert len(str(caught.value)) < 200
    *_, found = labels_of(paths, splits="labels")
    assert list(found.values()) == [(path.rpartition("/")[0], None) for path in paths]
    *_, found = labels_of(paths, splits="folders")
    assert any(split for _, split in found.values())


def test_only_a_folder_of_pictures_to_train_on_is_no_question_where_labels_come_from_elsewhere():
    *_, found = labels_of(["train/1.png", "car/2.png"], labelled=False)
    assert {split for _, split in found.values()} == {None}
    for folder in ("test", "val"):
        with pytest.raises(InputError, match="may be a split"):
            labels_of([f"{folder}/1.png", "train/2.png", "car/3.png"], labelled=False)


def test_the_question_is_short_whatever_folders_are_called():
    layout = Layout()
    for name in ("x" * 200, "\udcff" * 200, "test", "é" * 200):
        layout.add(f"{name}/1.png")
    with pytest.raises(InputError) as caught:
        layout.labels("auto", "/a" * 400)
    assert len(str(caught.value)) < 200 and str(caught.value).encode() and "'test'" in str(caught.value)


def test_a_split_too_deep_to_be_heeded_is_said():
    deep = "/".join("x" * 70)
    with pytest.raises(InputError, match="too deep for a split"):
        labels_of([f"{deep}/train/1.png", f"{deep}/test/2.png"])
    assert labels_of([f"{deep}/cat/1.png"])[1] == Labels() and labels_of([f"{deep}/test/1.png"], splits="labels")[1] == Labels()


def test_labels_with_a_word_of_a_split_in_their_names_are_labels():
    *_, found = labels_of(["test tube/1.png", "beaker/2.png", "bullet train/3.png", "flask/4.png", "pipe/5.png"])
    assert {split for _, split in found.values()} == {None}


def test_without_splits_all_folders_are_labels():
    *_, found = labels_of(["a/cat/1.png", "a/dog/2.png", "3.png"])
    assert list(found.values()) == [("a/cat", None), ("a/dog", None), ("", None)]
    *_, found = labels_of(["a/cat/1.png", "a/dog/2.png"], unwrap=True)
    assert list(found.values()) == [("cat", None), ("dog", None)]


def test_memory_is_bounded_however_many_folders_there_are():
    layout = Layout()
    for number in range(20_000):
        layout.add(f"{number}/x/1.png")
    layout.add("test/x/1.png")
    assert all(len(found.names) < 1000 and len(found.above) < 3 and len(found.ended) < 1000 for found in layout._depths)
    with pytest.raises(InputError, match="'test'"):
        layout.labels("auto", "pets")


def test_one_label_in_two_unicode_forms_is_one():
    *_, found = labels_of(["cafe\u0301/1.png", "caf\u00e9/2.png"])
    assert {label for label, _ in found.values()} == {"caf\u00e9"}


def test_spans_are_skipped():
    labels = Labels(depth=0, named=(("train", "train"),), skipped=1)
    assert labels.of("span-1/train/cat/1.png") == ("cat", "train")
