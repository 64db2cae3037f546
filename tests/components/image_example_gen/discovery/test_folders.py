"""One rule for what folders say, whatever lies in them: picture files, archives, arrays, or both; or lines of a manifest."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from tests.components.image_example_gen.ingestion import encode, ingest, picture

PNG = encode(picture(0))
LABELS = ("cat", "dog")


def put(path, data=PNG):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def npz(labelled):
    stream = io.BytesIO()
    arrays = {"x": np.stack([picture(seed) for seed in range(4)])}
    np.savez(stream, **arrays, **({"y": np.arange(4) % 2} if labelled else {}))
    return stream.getvalue()


def zipped(names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, PNG)
    return stream.getvalue()


def files(root, folders):
    for folder in folders:
        for label in LABELS:
            put(root / folder / label / "1.png")
    return root


def archives(root, folders):
    for folder in folders:
        put(root / folder / "1.zip", zipped([f"{label}/1.png" for label in LABELS]))
    return root


def arrays(root, folders, labelled=True):
    for folder in folders:
        put(root / folder / "x.npz", npz(labelled))
    return root


def arrays_without_labels(root, folders):
    return arrays(root, folders, labelled=False)


def arrays_in_an_archive(root, folders):
    root.mkdir()
    with zipfile.ZipFile(root / "all.zip", "w") as archive:
        for folder in folders:
            archive.writestr(f"{folder}/x.npz", npz(True))
    return root


def one_archive(root, folders):
    put(root / "all.zip", zipped([f"{folder}/{label}/1.png" for folder in folders for label in LABELS]))
    return root


def mixed(root, folders):
    files(root, folders[::2])
    return archives(root, folders[1::2])


def manifest(root, folders):
    files(root, folders)
    lines = [f"{folder}/{label}/1.png,{label}" for folder in folders for label in LABELS]
    (root / "list.csv").write_text("\n".join(["path,label", *lines]))
    return root / "list.csv"


KINDS = [files, archives, arrays, arrays_without_labels, arrays_in_an_archive, one_archive, mixed, manifest]


def outcome(place, **config):
    """The splits that were found, or what is asked."""
    try:
        sources = find_sources(str(place), DataConfig(**config))
    except InputError as mistake:
        assert len(str(mistake)) < 200
        return next(name for name in ("may be a split", "train on") if name in str(mistake))
    return set(sources.own_splits)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "folders, expected",
    [
        (["train", "test"], {"train", "test"}),
        (["train_images", "val_images", "test_images"], {"train", "eval", "test"}),
        (["TrainImages", "TestImages"], {"train", "test"}),
        (["trainset", "testset"], {"train", "test"}),
        (["seg_train", "seg_test"], {"train", "test"}),
        (["train", "test", "extra"], "may be a split"),
        (["cat", "test", "dog"], "may be a split"),
        (["cat", "testset", "dog", "hen", "fox"], "may be a split"),
        (["trainer", "contest", "latest", "testament", "training_shoes"], {None}),
        (["test", "testing2"], "train on"),
    ],
)
def test_the_same_folders_mean_the_same_whatever_lies_in_them(tmp_path, kind, folders, expected):
    assert outcome(kind(tmp_path / "in", folders)) == expected
    if expected == "may be a split":
        assert outcome(kind(tmp_path / "again", folders), splits="folders") - {"train"} == {"test", None}
        assert outcome(kind(tmp_path / "labels", folders), splits="labels") == {None}


@pytest.mark.parametrize("kind", [files, archives, one_archive, mixed, manifest])
def test_a_test_folder_is_asked_about_where_labels_come_from_a_table_or_a_pattern(tmp_path, kind):
    place = kind(tmp_path / "in", ["train", "test", "extra"])
    paths = [f"{folder}/{label}/1.png" for folder in ("train", "test", "extra") for label in LABELS]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *(f"{path},a" for path in paths)]))
    assert outcome(place, label_pattern="(cat|dog)/") == "may be a split"
    if kind is not manifest:
        assert outcome(place, label_file=str(tmp_path / "labels.csv")) == "may be a split"


def test_a_pattern_or_a_column_that_says_splits_is_no_question_and_what_it_leaves_out_is_of_its_folder(tmp_path):
    place = mixed(tmp_path / "in", ["train", "test", "extra"])  # an archive in test, beside picture files
    config = DataConfig(label_pattern="(?P<split>train|eval)?/?(?P<label>cat|dog)/1")
    assert [container.split for container in find_sources(str(place), config).containers] == ["test"]
    lines = [f"{folder}/{label}/1.png,a,train" for folder in ("train", "extra") for label in LABELS]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label,split", *lines]))
    sources = find_sources(str(place), DataConfig(label_file=str(tmp_path / "labels.csv")))
    assert [container.split for container in sources.containers] == ["test"]


def test_a_manifest_s_line_without_a_split_has_its_folder_s(tmp_path):
    place = manifest(tmp_path / "in", ["train", "test", "extra"])
    header, *lines = place.read_text().splitlines()
    lines_with_split = [f"{line},{'val' if line.startswith('extra') else ''}" for line in lines]
    place.write_text("\n".join([f"{header},split", *lines_with_split]))
    sources = find_sources(str(place))
    assert sources.labels.of("test/cat/1.png")[1] == "test" and sources.splits_from == ("the manifest", "folders")
    place.write_text("\n".join([f"{header},split", f"test/{lines[0]},train", f"test/{lines[1]},"]))
    assert find_sources(str(place)).labels.of("test/train/cat/1.png")[1] is None  # all lie in a folder of that name


def test_a_pattern_of_splits_that_says_nothing_leaves_them_to_the_folders(tmp_path):
    place = files(tmp_path / "in", ["train", "test"])
    assert outcome(place, label_pattern="(?P<split>fold)?(?P<label>cat|dog)/") == {"train", "test"}


def test_archives_in_split_folders_are_trained_on_or_judged_by_with_the_right_labels(tmp_path):
    for seed in range(40):
        put(tmp_path / f"in/{'val' if seed < 20 else 'train'}_images/{LABELS[seed % 2]}/{seed}.png", encode(picture(seed)))
    (tmp_path / "in/test_images").mkdir()
    with zipfile.ZipFile(tmp_path / "in/test_images/all.zip", "w") as archive:
        for seed in range(40, 60):
            archive.writestr(f"{LABELS[seed % 2]}/{seed}.png", encode(picture(seed)))
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.summary["pictures"] == {"train": 20, "eval": 20, "test": 20}
    assert set(result.summary["labels"]["test"]) == set(LABELS)


def test_an_empty_split_folder_is_refused_and_one_whose_file_cannot_be_read_says_why(tmp_path):
    archives(tmp_path / "in", ["train"])
    (tmp_path / "in/test").mkdir()
    with pytest.raises(InputError, match="the split 'test' is empty: there are no pictures in"):
        find_sources(str(tmp_path / "in"))
    put(tmp_path / "in/test/all.zip", b"<!DOCTYPE html><p>not found")
    with pytest.raises(InputError, match="the split 'test' is empty: test/all.zip is not read: .*an HTML page"):
        find_sources(str(tmp_path / "in"))


@pytest.mark.parametrize("name", ["train.zip", "data/train/1.zip", "trainset.tar", "train-images-idx3-ubyte.gz", "all.zip"])
def test_a_file_to_train_on_that_cannot_be_read_is_named(tmp_path, name):
    put(tmp_path / name, b"<!DOCTYPE html><p>not found")
    put(tmp_path / ("data/test/1.zip" if "/" in name else "test.zip"), zipped(["cat/1.png", "dog/1.png"]))
    with pytest.raises(InputError) as caught:
        find_sources(str(tmp_path))
    assert f"{name} is not read" in str(caught.value) and "HTML" in str(caught.value) and len(str(caught.value)) < 200


def test_folders_that_are_one_split_and_say_more_are_said(tmp_path):
    place = files(tmp_path / "in", ["trainA", "trainB", "testA", "testB"])
    assert any("testA and testB are both test" in note for note in find_sources(str(place)).notes)
