"""From a folder to the Examples artifact."""

from __future__ import annotations

import dataclasses
import os
import pickle
import shutil

import numpy as np
import pytest
import tensorflow as tf

from common.errors import GateRefused, InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.splits import SplitRule
from components.image_example_gen.writing.decode import ExampleDecoder
from components.image_example_gen.writing.ingest import IngestUnit
from components.image_example_gen.writing.pictures import digest_of
from tests.components.image_example_gen.ingestion import (
    BEAM_ARGS,
    Ingested,
    encode,
    ingest,
    picture,
    write_idx_pair,
    write_pictures,
)

SMALL_SHARDS = DataConfig(eval_share=0.3, test_share=0.3, pictures_per_shard=7)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Ingested:
    """A folder of every kind of picture, good and bad, with labels."""
    folder = tmp_path_factory.mktemp("mixed")
    write_pictures(folder / "grey/noise", 40)
    odd = folder / "odd"
    odd.mkdir()
    (odd / "colour.jpg").write_bytes(encode(picture(101, 5, 9, 3), "JPEG"))
    (odd / "alpha with spaces, ümläut \u96ea.PNG").write_bytes(encode(picture(102, 8, 8, 4)))
    (odd / "jpeg by content.png").write_bytes(encode(picture(103, 8, 8, 3), "JPEG"))
    with open(os.fsencode(odd) + b"/not-utf8-\xff.png", "wb") as file:
        file.write(encode(picture(104)))
    (odd / "line\nbreak.png").write_bytes(encode(picture(105)))
    (odd / "cut.png").write_bytes(encode(picture(106))[:-20])
    (odd / "text.png").write_text("no picture")
    (odd / "empty.png").write_bytes(b"")
    (odd / "gone.png").symlink_to(odd / "nowhere.png")
    return ingest(folder, tmp_path_factory.mktemp("out") / "examples", SMALL_SHARDS)


def test_the_good_are_kept_and_the_bad_are_listed(mixed):
    assert mixed.rejects == {
        "odd/cut.png": "damaged or cut short PNG data",
        "odd/empty.png": "the file is empty",
        "odd/gone.png": "the file is gone, or a link that leads nowhere",
        "odd/text.png": "not a picture in a supported format, despite its name",
    }
    assert len(mixed.examples()) == 45


def test_every_feature_of_an_example(mixed):
    example = mixed.examples()["odd/colour.jpg"]
    pixels = tf.io.decode_image(example["image/encoded"]).numpy()
    assert example == {
        "image/encoded": encode(picture(101, 5, 9, 3), "JPEG"),
        "image/format": b"jpeg",
        "image/height": 5,
        "image/width": 9,
        "image/channels": 3,
        "image/label": b"odd",
        "image/path": b"odd/colour.jpg",
        "image/sha256": digest_of(pixels).hex().encode(),
        "image/mean": pytest.approx(pixels.mean()),
        "image/std": pytest.approx(pixels.std()),
        "image/exposure": b"usual",
        "image/reencoded_from": b"",
    }


def test_names_are_kept_whatever_they_are(mixed):
    paths = set(mixed.examples())
    assert {"odd/alpha with spaces, ümläut \u96ea.PNG", "odd/line\nbreak.png", "odd/not-utf8-\\xff.png"} <= paths
    assert mixed.examples()["odd/jpeg by content.png"]["image/format"] == b"jpeg"


def test_summary(mixed):
    summary = mixed.summary
    assert sum(summary["pictures"].values()) == 45
    assert sum(counts.get("grey/noise", 0) for counts in summary["labels"].values()) == 40
    assert summary["rejected"] == 4 and sum(summary["rejects_by_reason"].values()) == 4
    assert summary["formats"] == {"png": 43, "jpeg": 2}
    assert summary["sizes"]["8x8x1"] == 42 and summary["sizes"]["5x9x3"] == 1
    assert summary["seconds"] > 0


def test_shards_are_numbered_without_gaps_and_none_is_empty(mixed):
    assert mixed.splits == ["train", "eval", "test"]
    for split in mixed.splits:
        names = sorted(path.name for path in (mixed.uri / f"Split-{split}").iterdir())
        assert names == [f"data_tfrecord-{i:05d}-of-{len(names):05d}" for i in range(len(names))]
    assert sorted(path.name for path in mixed.uri.iterdir() if path.is_file()) == [
        "duplicates.jsonl",
        "rejects.jsonl",
        "summary.json",
    ]
    assert not (mixed.uri / "ingesting").exists()


def test_a_shard_leaves_no_file_in_a_split_it_has_no_picture_of(tmp_path):
    write_pictures(tmp_path / "in/train", 6)
    write_pictures(tmp_path / "in/val", 1, first=6)
    write_pictures(tmp_path / "in/test", 1, first=7)
    result = ingest(tmp_path / "in", tmp_path / "out", DataConfig(pictures_per_shard=2))
    assert [name for name in result.files() if "train" not in name] == [
        "Split-eval/data_tfrecord-00000-of-00001",
        "Split-test/data_tfrecord-00000-of-00001",
    ]


@pytest.mark.parametrize("beam_args", [(), ("--direct_num_workers=2", "--direct_running_mode=multi_threading")])
def test_the_same_bytes_in_every_run(tmp_path, beam_args):
    write_pictures(tmp_path / "in/a", 30)
    (tmp_path / "in/cut.png").write_bytes(encode(picture(99))[:-20])
    write_idx_pair(tmp_path / "in", "more", np.stack([picture(seed) for seed in range(50, 70)]), np.arange(20) % 3)
    args = (*BEAM_ARGS, *beam_args)
    first, second = (ingest(tmp_path / "in", tmp_path / name, SMALL_SHARDS, args) for name in ("one", "two"))
    assert first.files() == second.files()
    assert first.rejects == second.rejects


def test_a_picture_keeps_its_side_in_any_container(tmp_path):
    pixels, labels = np.stack([picture(seed) for seed in range(60)]), np.arange(60) % 10
    names = tuple("abcdefghij")
    for seed, label in enumerate(labels):
        path = tmp_path / "png" / names[label] / f"{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(pixels[seed]))
    write_idx_pair(tmp_path / "idx", "digits", pixels, labels)
    config = DataConfig(eval_share=0.3, test_share=0.3, label_names=names, pictures_per_shard=25)

    def sides(result):
        return {
            (example["image/sha256"], example["image/label"]): split
            for split in result.splits
            for example in result.examples(split).values()
        }

    by_png, by_idx = (ingest(tmp_path / kind, tmp_path / f"{kind}-out", config) for kind in ("png", "idx"))
    assert sides(by_png) == sides(by_idx) and len(sides(by_idx)) == 60


def test_idx_pictures_become_bmp_with_labels(tmp_path):
    colour = np.stack([picture(seed, 6, 5, 3) for seed in range(8)])
    write_idx_pair(tmp_path / "in", "train", colour, np.arange(8), suffix="")
    write_idx_pair(tmp_path / "in/sub", "t10k", colour[:3], np.array([2, 1, 0]))
    result = ingest(tmp_path / "in", tmp_path / "out", DataConfig(eval_share=0.49, pictures_per_shard=3))
    example = result.examples("test")["sub/t10k-images-idx4-ubyte.gz#0"]
    assert (example["image/label"], example["image/format"]) == (b"2", b"bmp")
    np.testing.assert_array_equal(tf.io.decode_image(example["image/encoded"]).numpy(), colour[0])
    assert result.summary["pictures"]["test"] == 3
    # Three of the eight are in the test file as well.
    assert result.summary["pictures"]["train"] + result.summary["pictures"]["eval"] == 5


def test_idx_without_labels(tmp_path):
    write_idx_pair(tmp_path, "train", np.stack([picture(seed) for seed in range(30)]), np.arange(30))
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    result = ingest(tmp_path, tmp_path / "out")
    assert result.summary["labels"] == {"train": {}, "eval": {}, "test": {}}


def test_own_split_folders_decide_and_missing_ones_come_from_train(tmp_path):
    write_pictures(tmp_path / "in/train/cat", 40)
    write_pictures(tmp_path / "in/test/cat", 5, first=40)
    result = ingest(tmp_path / "in", tmp_path / "out", DataConfig(eval_share=0.4))
    assert {path.split("/")[0] for path in result.examples("test")} == {"test"}
    assert {path.split("/")[0] for path in result.examples("train", "eval")} == {"train"}
    assert set(result.summary["labels"]["eval"]) == {"cat"}


def test_a_split_name_among_labels_is_a_label_where_a_person_says_so(tmp_path):
    write_pictures(tmp_path / "in/train", 20)
    write_pictures(tmp_path / "in/car", 20, first=20)
    assert "data.splits=labels" in str(mistake(tmp_path / "in", tmp_path / "refused", SMALL_SHARDS))
    config = dataclasses.replace(SMALL_SHARDS, splits="labels")
    result = ingest(tmp_path / "in", tmp_path / "out", config)
    assert {example["image/label"] for example in result.examples().values()} == {b"train", b"car"}


def test_no_test_split_where_its_share_is_nothing(tmp_path):
    write_pictures(tmp_path / "in", 30)
    assert ingest(tmp_path / "in", tmp_path / "out", DataConfig(test_share=0)).splits == ["train", "eval"]


def mistake(*arguments) -> InputError:
    with pytest.raises(InputError) as caught:
        ingest(*arguments)
    assert "\n" not in str(caught.value)
    return caught.value


def test_more_refused_than_allowed(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.png").write_bytes(b"")
    (folder / "d.png").write_text("x")
    write_pictures(folder, 3)
    with pytest.raises(GateRefused) as caught:
        ingest(folder, tmp_path / "out")
    (reason,) = caught.value.reasons
    assert "4 of 7 pictures" in reason and "allows 50%" in reason and "3 x the file is empty" in reason
    assert [reject["path"] for reject in caught.value.rejects] == ["a.png", "b.png", "c.png", "d.png"]


def test_all_refused(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / f"in/{name}.png").write_bytes(b"")
    error = mistake(tmp_path / "in", tmp_path / "out", DataConfig(max_rejects=1))
    assert "all 3 pictures" in str(error) and "3 x the file is empty" in str(error) and len(error.rejects) == 3


def test_a_share_that_takes_nothing(tmp_path):
    write_pictures(tmp_path / "in", 3)
    message = str(mistake(tmp_path / "in", tmp_path / "out", DataConfig(eval_share=1e-9, test_share=0)))
    assert "'eval' is empty" in message and "data.eval_share" in message


def test_a_split_folder_of_which_all_were_refused(tmp_path):
    write_pictures(tmp_path / "in/train", 20)
    (tmp_path / "in/val").mkdir()
    (tmp_path / "in/val/1.png").write_bytes(b"")
    error = mistake(tmp_path / "in", tmp_path / "out", DataConfig(test_share=0))
    assert "'eval'" in str(error) and "1 x the file is empty" in str(error) and len(error.rejects) == 1


def test_a_label_without_a_name(tmp_path):
    write_idx_pair(tmp_path, "train", np.stack([picture(seed) for seed in range(30)]), np.arange(30))
    assert "the label 29" in str(mistake(tmp_path, tmp_path / "out", DataConfig(label_names=("a", "b"))))


def test_an_idx_file_damaged_inside(tmp_path):
    write_idx_pair(tmp_path, "train", np.stack([picture(seed) for seed in range(30)]), np.arange(30))
    path = tmp_path / "train-images-idx3-ubyte.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert "all 30 pictures" in str(mistake(tmp_path, tmp_path / "out"))
    shutil.rmtree(tmp_path / "out")
    write_pictures(tmp_path / "good", 40, first=100)
    result = ingest(tmp_path, tmp_path / "out2")
    assert len(result.examples()) == 40 and result.summary["rejected"] == 30
    assert list(result.rejects) == ["train-images-idx3-ubyte.gz"]


def test_the_worker_can_be_sent_to_another_process():
    assert isinstance(
        pickle.loads(pickle.dumps(IngestUnit("folder", ExampleDecoder(SplitRule(0.1, 0.1), DataConfig())))), IngestUnit
    )


def test_progress_ends_with_all_pictures_counted(tmp_path, caplog):
    write_pictures(tmp_path / "in", 30)
    (tmp_path / "in/empty.png").write_bytes(b"")
    with caplog.at_level("INFO", "darkroom.progress"):
        ingest(tmp_path / "in", tmp_path / "out")
    last = [record.progress for record in caplog.records if hasattr(record, "progress")][-1]
    assert (last.step, last.done, last.total, last.figures) == ("ingesting", 31, 31, {"rejects": 1})


def test_a_single_picture_that_falls_to_another_split(tmp_path):
    for seed in range(40):
        folder = write_pictures(tmp_path / str(seed), 1, seed)
        try:
            ingest(folder, tmp_path / f"out{seed}", DataConfig(eval_share=0.4, test_share=0.0))
        except InputError as error:
            if "for the split 'train'" in str(error):
                assert str(error).endswith("of 1 in all, 1 went to eval; add pictures")
                return
    raise AssertionError("none of 40 pictures fell to eval")
