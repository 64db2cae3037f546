"""What `darkroom inspect` shows, and that a run then takes just that."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from pipeline.config.inference import complete
from pipeline.config.loading import apply_overrides
from pipeline.data.inspection import CHOSEN, LOOKED_FOR, chosen, inspect
from tests.components.image_example_gen.ingestion import encode, ingest, picture, write_pictures


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("train/cat", "train/dog", "test/cat")):
        write_pictures(tmp_path / f"in/{name}", 30, 30 * number)
    (tmp_path / "in/train/dog/large.png").write_bytes(encode(picture(900, 32, 24, 3)))
    (tmp_path / "in/readme.txt").write_text("x")
    (tmp_path / "in/page.zip").write_bytes(b"<html></html>")
    return tmp_path / "in"


def test_shows_what_a_run_would_take(folder, tmp_path):
    lines = inspect(str(folder), DataConfig())
    assert lines[0].startswith("91 pictures in ")
    assert "files: 91 .png" in lines
    assert "sizes: 8x8 99%, 24x32 1%" in lines and "color: grey 99%, color 1%" in lines
    assert "splits: train, test from folders, eval by content" in lines
    assert "labels: 2: cat 60, dog 31" in lines
    assert "ignored, because their names are not those of pictures: 1 .txt" in lines
    assert any(line.startswith("left out: page.zip: no zip archive") for line in lines)
    assert all(len(line) < 200 for line in lines)
    counted = ingest(folder, tmp_path / "out").summary
    assert sum(counted["pictures"].values()) == 91
    labels = [counts for split in counted["labels"].values() for counts in split.items()]
    assert sum(count for label, count in labels if label == "dog") == 31


@pytest.mark.parametrize("labels", [True, False])
def test_files_of_many_pictures(tmp_path, labels):
    arrays = {"x_train": np.stack([picture(seed) for seed in range(50)])}
    np.savez(tmp_path / "a.npz", **arrays, **({"y_train": np.arange(50) % 2} if labels else {}))
    lines = inspect(str(tmp_path / "a.npz"), DataConfig())
    assert "files of many: a.npz (50)" in lines and "color: grey" in lines
    assert any(line.startswith("labels: 2: 0 25, 1 25" if labels else "labels: none") for line in lines)


def test_a_label_file_or_pattern_counts(folder):
    lines = inspect(str(folder), DataConfig(label_pattern="(?P<label>[0-9])[0-9].png"))
    assert any(line.startswith("labels: 9: 0 10, 1 10") for line in lines)


def test_nothing_to_take_is_said_as_a_run_would(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("inner.zip", "")
    with pytest.raises(InputError, match="archive within an archive"):
        inspect(str(tmp_path / "a.zip"), DataConfig())


@pytest.mark.parametrize("archived", [False, True])
def test_copies_of_one_picture_are_said_as_a_run_would(tmp_path, archived):
    for number in range(20):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / f"in/{number}.png").write_bytes(encode(picture(0)))
    where = tmp_path / "in"
    if archived:
        where = tmp_path / "in.zip"
        with zipfile.ZipFile(where, "w") as archive:
            for file in (tmp_path / "in").iterdir():
                archive.write(file, file.name)
    warning = "20 of 20 looked at are copies of one picture: a run leaves copies out, and refuses where nearly all are"
    assert warning in inspect(str(where), DataConfig())
    assert warning not in inspect(str(where), DataConfig(keep_duplicates=True))


def test_what_was_looked_for_is_lines_of_a_terminal():
    assert all(len(f"looked for {line}") < 150 for line in LOOKED_FOR) and ".tfrec" in LOOKED_FOR[1]


@pytest.mark.parametrize("values", [{}, {"preprocessing": {"height": 64, "width": 64}, "evaluation": {"max_drop": None}}])
def test_the_last_line_has_the_settings_of_a_run(folder, values):
    line = chosen(values, str(folder))
    settings = line.removeprefix("a run would set ").split()
    assert len(line) < 200 and [each.partition("=")[0] for each in settings] == list(CHOSEN)
    of_a_run = complete(values, str(folder))
    for section, fields in apply_overrides({}, settings).items():
        assert fields.items() <= of_a_run[section].items()
