"""Files of every format, broken in thousands of ways: no crash, no hang, bounded memory, and what is accepted can be read later."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.components.image_example_gen.fuzz.formats import CONTAINERS, FORMATS, PICTURES, mutant, originals
from tests.components.image_example_gen.fuzz.reading import GOOD, check_sound, write
from tests.components.image_example_gen.ingestion import write_pictures

FILES, FEW, SEED = 2000, 40, 20261121
SECONDS, MEGABYTES, REASONS = 580, 1500, 40  # far above what it takes: a hang or a bomb is what is looked for
# Read by one process each, which takes some seconds to start.
GROUPS = (
    ("png", "jpeg", "webp", "qoi", "pnm", "manifest", "metadata"),
    ("gif", "bmp", "tiff", "avif", "jpeg2000"),
    ("idx", "npy", "npz", "mat", "cifar", "pixels"),
    ("hdf5", "tfrecord", "parquet", "arrow"),
    ("tars", "gzips", "zips", "webdataset", "nested"),
)
ROOT = Path(__file__).parents[3]

# Run in a process of its own: a crash of a decoder would take the tests with it.
INGEST = """
import json, sys
from pathlib import Path
import tensorflow as tf
from tests.components.image_example_gen.ingestion import ingest
from components.image_example_gen.config import DataConfig
from pipeline.data.inspection import inspect
from trainer.config import PreprocessingConfig
from trainer.preprocessing import decode_levels

options = DataConfig(max_rejects=1.0, max_megapixels=4, keep_duplicates=True, splits="content")
said = inspect(sys.argv[1], options)
result = ingest(sys.argv[1], Path(sys.argv[2]), options)
examples = result.examples()
config = PreprocessingConfig(8, 8, 3)
for example in examples.values():
    assert decode_levels(tf.constant(example["image/encoded"]), config).shape == (8, 8, 3)
print(json.dumps({"accepted": sorted(examples), "rejects": result.rejects, "said": said}))
"""
ENCODE = """
import json, sys
from pathlib import Path
from tests.serving import tiny_model
from serving.pictures import list_pictures
from serving.pushed import PushedModel

tiny_model.save(tiny_model.TinyModel(), Path(sys.argv[2], "serving", "1"))
listed = list_pictures([sys.argv[1]])
answers = PushedModel(Path(sys.argv[2], "serving", "1")).encode(listed)
kept, refused = [path.name for path in answers.paths], {path.name: reason for path, reason in answers.unreadable}
print(json.dumps({"listed": [path.name for path in listed], "kept": kept, "refused": refused}))
"""


def run(*arguments: str) -> list[dict]:
    """What a process of Python's prints as lines of JSON; it ends with 0, and not by a signal."""
    command = [sys.executable, "-W", "ignore", *arguments]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    said = [line for line in done.stderr.splitlines() if " W tensorflow" not in line]
    assert done.returncode == 0, (done.returncode, "\n".join(said)[-4000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def kind_of(reason: str) -> str:
    """A reason without its particulars, which that of a whole file may have: names, what is cited, numbers, bytes."""
    said = re.sub(r"^\S+: |^\S+ (?=is one number|has the shape)", "# ", reason)  # an array's name
    said = re.sub(r"\S*\d{6}\S*|'[^']*'|\"[^\"]*\"", "#", said)
    return re.sub(r"-?\d[\d,.]*|\b[0-9a-f]{2}\b( [0-9a-f]{2}\b)*|\b[0-9a-f]{8}\b", "#", re.split(r"[:;(]| x ", said)[0])


def check(said: dict, count: int) -> None:
    """Check the summary of a format; how many were accepted hangs on the format, but it is neither none nor all."""
    assert said["accepted"] + said["refused"] + said["asked"] + said["idle"] == count, said
    assert min(said["accepted"], sum(said["reasons"].values()) + said["asked"]) > count / 100, said
    # A table that holds no pixels is one file among others, and labels may be those of pictures elsewhere.
    assert said["idle"] <= count / 100 or said["format"] == "pixels", said
    # What lies in archives is of six formats, with the reasons of each.
    assert len(set(map(kind_of, said["reasons"]))) <= (3 if said["format"] == "nested" else 1) * REASONS, said
    assert said["megabytes"] < MEGABYTES, said


def test_every_format_is_in_a_group():
    assert sorted(name for group in GROUPS for name in group) == sorted(FORMATS) and not PICTURES.keys() & CONTAINERS.keys()


@pytest.mark.parametrize("name", FORMATS)
def test_the_sound_files_are_accepted_and_mending_changes_none(name, tmp_path):
    check_sound(name, tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_the_same_in_every_run_and_leaves_no_file_sound(name):
    found, again = originals(name), originals(name)
    for number in range(3 * len(found)):
        original, data = mutant(name, found, SEED, number)
        assert data == mutant(name, again, SEED, number)[1] != original.sound


def test_a_few_damaged_files_of_every_format():
    found = run("-m", "tests.components.image_example_gen.fuzz", ",".join(FORMATS), str(FEW), str(SEED))
    assert [said["format"] for said in found] == list(FORMATS)
    for said in found:
        assert said["accepted"] + said["refused"] + said["asked"] + said["idle"] == FEW, said
        assert said["megabytes"] < MEGABYTES, said


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS, ids=",".join)
def test_thousands_of_damaged_files_of_every_format(group):
    found = run("-m", "tests.components.image_example_gen.fuzz", ",".join(group), str(FILES), str(SEED))
    assert [said["format"] for said in found] == list(group)
    for said in found:
        check(said, FILES)


def damaged(folder: Path, names: dict, count: int) -> dict[str, tuple[str, int]]:
    """Write so many damaged files, of each format as many, into one folder, and good pictures beside them."""
    made = {number: mutant(name, originals(name), SEED, number) for number, name in zip(range(count), list(names) * count)}
    return {path.relative_to(folder).as_posix(): number for number, path in write(made, folder).items()}


@pytest.mark.slow
def test_a_run_of_all_formats_together_keeps_every_good_picture(tmp_path):
    folder = tmp_path / "in"
    names = {name: "" for name in FORMATS if name not in ("manifest", "metadata")}
    written = damaged(folder, names, 72)
    write_pictures(folder / "good", 60)
    (answer,) = run("-c", INGEST, str(folder), str(tmp_path / "out"))
    assert sum(path.startswith("good/") for path in answer["accepted"]) == 60
    assert sum(path.startswith("good-") for path in answer["accepted"]) == GOOD
    for path in written:
        own = [one for one in (*answer["accepted"], *answer["rejects"]) if one == path or one.startswith((f"{path}#", f"{path}/"))]
        assert own or "labels" in path or "_y." in path or path.endswith((".txt", ".csv", ".csv.gz")), path
    assert not set(answer["accepted"]) & set(answer["rejects"])
    assert all(len(line) <= 200 and line.isprintable() for line in answer["said"])


@pytest.mark.slow
def test_damaged_pictures_are_encoded_or_named_with_a_reason(tmp_path):
    folder = tmp_path / "in"
    written = damaged(folder, PICTURES, 300)
    (answer,) = run("-c", ENCODE, str(folder), str(tmp_path / "work"))
    assert sorted(answer["listed"]) == sorted([*answer["kept"], *answer["refused"]]) and len(answer["listed"]) == 300 + GOOD
    assert {f"good-{number}.png" for number in range(GOOD)} <= set(answer["kept"])
    assert 30 < len(answer["refused"]) < len(written)
    assert all(0 < len(reason) < 300 and "\n" not in reason for reason in answer["refused"].values())


def test_what_is_raised_on_the_way_is_seen(monkeypatch, tmp_path):
    from tests.components.image_example_gen.fuzz import reading

    monkeypatch.setattr(reading, "_read_to_serve", lambda paths, config: paths[1])  # a fault of any class
    with pytest.raises(AssertionError, match="qoi, seed 7"):
        reading.read_format("qoi", 1, 7, 0, None, lambda said: None)
