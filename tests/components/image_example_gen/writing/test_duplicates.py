"""Exact duplicates: counted, kept once, listed, and never on two sides."""

from __future__ import annotations

import json

import numpy as np
import pytest

from common.errors import GateRefused
from components.image_example_gen.config import DataConfig
from tests.components.image_example_gen.ingestion import encode, ingest, picture, write_idx_pair, write_pictures


def listed(result) -> dict[str, str]:
    lines = (result.uri / "duplicates.jsonl").read_text().splitlines()
    return {line["path"]: line["kept"] for line in map(json.loads, lines)}


def hashes(result, split) -> list[bytes]:
    return [example["image/sha256"] for example in result.examples(split).values()]


def test_of_a_picture_on_both_sides_the_held_out_one_is_kept(tmp_path):
    write_pictures(tmp_path / "in/train", 40)
    write_pictures(tmp_path / "in/val", 6, first=35)
    write_pictures(tmp_path / "in/test", 6, first=38)
    result = ingest(tmp_path / "in", tmp_path / "out", DataConfig(pictures_per_shard=9))
    assert result.summary["pictures"] == {"train": 35, "eval": 3, "test": 6} and result.summary["duplicates"] == 8
    kept = [hash for split in ("train", "eval", "test") for hash in hashes(result, split)]
    assert len(kept) == len(set(kept)) == 44
    duplicates = listed(result)
    assert duplicates["train/0036.png"] == "val/0036.png" and duplicates["val/0039.png"] == "test/0039.png"
    assert set(duplicates) == {f"train/{i:04d}.png" for i in range(35, 40)} | {f"val/{i:04d}.png" for i in (38, 39, 40)}


def test_whatever_format_it_is_in_and_wherever_it_lies(tmp_path):
    write_pictures(tmp_path / "in/a", 30)
    (tmp_path / "in/b").mkdir()
    (tmp_path / "in/b/copy.bmp").write_bytes(encode(picture(3), "BMP"))
    (tmp_path / "in/b/again.tif").write_bytes(encode(picture(3), "TIFF"))
    write_idx_pair(tmp_path / "in/c", "more", np.stack([picture(5), picture(50)]), np.arange(2))
    result = ingest(tmp_path / "in", tmp_path / "out")
    assert result.summary["duplicates"] == 3 == len(listed(result)) and len(result.examples()) == 31
    summed = sum(sum(labels.values()) for labels in result.summary["labels"].values())
    assert summed == 31 == sum(result.summary["formats"].values()) == sum(result.summary["sizes"].values())


def test_a_file_of_examples_of_which_all_are_copies_is_left_out(tmp_path):
    write_pictures(tmp_path / "in/train", 30)
    write_pictures(tmp_path / "in/test", 30)
    write_pictures(tmp_path / "in/train/more", 20, 30)
    result = ingest(tmp_path / "in", tmp_path / "out", DataConfig(eval_share=0.2, pictures_per_shard=5))
    assert result.summary["pictures"]["test"] == 30 and result.summary["duplicates"] == 30
    for split in result.splits:
        files = list((result.uri / f"Split-{split}").iterdir())
        assert all(f"-of-{len(files):05d}" in path.name for path in files) and len(hashes(result, split)) > 0


def test_they_are_kept_where_the_configuration_says_so(tmp_path):
    write_pictures(tmp_path / "in/a", 30)
    write_pictures(tmp_path / "in/b", 10)
    result = ingest(tmp_path / "in", tmp_path / "out", DataConfig(keep_duplicates=True))
    assert len(result.examples()) == 40 and not listed(result)
    sides = {}
    for split in result.splits:
        for hash in hashes(result, split):
            assert sides.setdefault(hash, split) == split  # by content they fall on one side all the same


def test_copies_of_a_single_picture_are_refused_unless_they_are_asked_for(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(100):
        (tmp_path / f"in/{number}.png").write_bytes(encode(picture(0)))
    with pytest.raises(GateRefused) as refused:
        ingest(tmp_path / "in", tmp_path / "refused")
    (reason,) = refused.value.reasons
    assert "nearly all of the 100 pictures" in reason and "only 1 differ" in reason and "data.keep_duplicates=true" in reason
    result = ingest(tmp_path / "in", tmp_path / "out", DataConfig(keep_duplicates=True))
    assert result.splits == ["train", "eval", "test"] and len(result.examples()) == 100
