"""Reads damaged files as a run and the serving commands do, and sees to it that each is accounted for."""

from __future__ import annotations

import gc
import itertools
import re
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.discovery.listing import Listing
from components.image_example_gen.items import Rejected
from components.image_example_gen.splits import SplitRule
from components.image_example_gen.writing.decode import ExampleDecoder
from components.image_example_gen.writing.units import plan_units
from serving.pictures import list_pictures
from serving.pushed import _read
from tests.components.image_example_gen.fuzz.damage import Original, joined
from tests.components.image_example_gen.fuzz.formats import PICTURES, mutant, originals
from tests.serving.picture_files.made import saved
from trainer.config import PreprocessingConfig
from trainer.preprocessing import decode_levels

GOOD = 3  # sound pictures beside each batch
_BATCH = 100
_NUMBER = re.compile(r"(?<!\d)\d{6}(?!\d)")
_DECODED = 3  # accepted pictures of each batch that are decoded as training does
_MEGAPIXELS = 4.0
# What stops a run with a question, however sound a file is: which folders are splits, and what was configured.
_QUESTION = re.compile("split|to train on")
_KNOWN = re.compile("not read|save it|data\\.(range|levels)")  # why an original may be refused
Options = tuple[tuple[str, object], ...]


@dataclass
class Outcome:
    """What became of the files of a format.

    Attributes:
        accepted: Files of which some picture was accepted.
        refused: Files of which none was, with a reason.
        asked: Files by which a run stops with a question.
        idle: Files that say nothing: labels that are not used, and the like.
        reasons: How often each reason was given.
        numbers: Of the accepted files.
    """

    accepted: int = 0
    refused: int = 0
    asked: int = 0
    idle: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    numbers: set[int] = field(default_factory=set)


def read_format(name: str, count: int, seed: int, first: int, keep: str | None, alive: Callable[[str], None]) -> dict:
    """Read so many damaged files of a format, and return a summary.

    Args:
        name: Of the format.
        count: How many files.
        seed: Of the damage.
        first: The number of the first file.
        keep: A folder for the last batch's files, that is left.
        alive: Is told of each batch before it is read.
    """
    started, before = time.monotonic(), _megabytes()
    found, outcome = originals(name), Outcome()
    for options, numbers in _batches(found, range(first, first + count), 1 if name == "manifest" else _BATCH):
        alive(f"{name} {numbers} with seed {seed}")
        config = DataConfig(max_megapixels=_MEGAPIXELS, max_rejects=1.0, keep_duplicates=True, **dict(options))
        with tempfile.TemporaryDirectory() as folder:
            made = {number: mutant(name, found, seed, number) for number in numbers}
            try:
                _read_batch(name, made, Path(keep or folder), config, outcome)
            except BaseException as error:
                raise AssertionError(f"{name}, seed {seed}, one of {numbers}, as {config}") from error
    return {
        "format": name,
        "accepted": outcome.accepted,
        "refused": outcome.refused,
        "asked": outcome.asked,
        "idle": outcome.idle,
        "reasons": dict(outcome.reasons.most_common()),
        "megabytes": round(_megabytes() - before),
        "seconds": round(time.monotonic() - started, 1),
    }


def check_sound(name: str, folder: Path) -> None:
    """Read a format's originals: all are accepted but few of kinds that are not read; else the damage would be for nothing.

    And what mends a damaged file leaves them as they are.
    """
    found = originals(name)
    for number, original in enumerate(found):
        pieces = [piece.copy() for piece in original.pieces]
        original.mend(pieces)
        assert original.pack(joined(pieces)) == original.sound, (name, number)
    outcome = Outcome()
    for options, numbers in _batches(found, range(len(found)), 1 if name == "manifest" else _BATCH):
        config = DataConfig(max_megapixels=_MEGAPIXELS, keep_duplicates=True, **dict(options))
        _read_batch(name, {number: (found[number], found[number].sound) for number in numbers}, folder / "in", config, outcome)
    assert all(_KNOWN.search(reason) for reason in outcome.reasons), (name, outcome)
    assert outcome.accepted + outcome.refused == len(found) and outcome.accepted >= 2 / 3 * len(found), (name, outcome)


def _batches(found: list[Original], numbers: range, size: int) -> Iterator[tuple[Options, list[int]]]:
    """Numbers that are read together: alike in what they are read by."""
    options = lambda number: found[number % len(found)].options
    for each, alike in itertools.groupby(sorted(numbers, key=lambda number: (repr(options(number)), number)), key=options):
        alike = list(alike)
        for at in range(0, len(alike), size):
            yield each, alike[at : at + size]


def _read_batch(name: str, made: dict[int, tuple[Original, bytes]], folder: Path, config: DataConfig, outcome: Outcome) -> None:
    """Read files beside sound pictures; one by one where they stop a run with a question."""
    try:
        _read_together(name, made, folder, config, outcome)
    except InputError as mistake:
        if len(made) == 1 or name == "manifest":
            assert name == "manifest" or _QUESTION.search(str(mistake)), mistake
            assert len(str(mistake)) < 200 + len(str(folder)) and "\n" not in str(mistake), mistake
            outcome.asked += 1
            return
        for number, each in made.items():
            _read_batch(name, {number: each}, folder, config, outcome)


def _read_together(name: str, made: dict[int, tuple[Original, bytes]], folder: Path, config: DataConfig, outcome: Outcome) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    paths = write(made, folder)
    if name in PICTURES:
        _read_to_serve(paths, config)
    place = str(next(iter(paths.values()))) if name == "manifest" else str(folder)
    accepted, reasons = _read_to_train(place, config, folder.parent)
    assert name == "manifest" or sum(path.startswith("good-") for path in accepted) == GOOD, "a sound picture was lost"
    for number in made:
        mine = [key for key in (*accepted, *reasons) if name == "manifest" or f"{number:06d}" in _NUMBER.findall(key)]
        given = Counter(reason for key in mine for reason in reasons.get(key, ()))
        outcome.reasons += given
        if any(key in accepted for key in mine):
            outcome.accepted += 1
            outcome.numbers.add(number)
        elif given:
            outcome.refused += 1
        else:
            outcome.idle += 1
    if outcome.accepted % 7 == 0:
        gc.collect()


def write(made: dict[int, tuple[Original, bytes]], folder: Path) -> dict[int, Path]:
    """Write files, what belongs to them, and the sound pictures; return the files' paths."""
    folder.mkdir(parents=True)
    for number in range(GOOD):
        (folder / f"good-{number}.png").write_bytes(saved(np.full((8, 8 + number), 9, np.uint8), "PNG"))
    paths = {}
    for number, (original, data) in made.items():
        for name, content in ((original.name, data), *original.beside):
            path = folder / name.format(number)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        paths[number] = folder / original.name.format(number)
    return paths


def _read_to_train(place: str, config: DataConfig, working: Path) -> tuple[dict[str, object], dict[str, list[str]]]:
    """Read all as a run does: the accepted by path, and the reasons of the refused."""
    accepted, reasons = {}, {}
    with Listing() as listing, tempfile.TemporaryDirectory() as parts:
        sources = find_sources(place, config, listing.add)
        units = plan_units(sources, listing, config, parts)
        decoder = ExampleDecoder(SplitRule.of(sources.own_splits, config), config)
        for left in sources.left_out:
            _refuse(left, reasons)
        for unit in units:
            for item in decoder.decode(unit):
                if isinstance(item, Rejected):
                    _refuse(item, reasons)
                else:
                    accepted[item.row.path] = item.row
    depth = PreprocessingConfig(8, 8, 3)
    for row in itertools.islice(accepted.values(), 0, None, max(1, len(accepted) // _DECODED)):
        assert decode_levels(tf.constant(row.encoded), depth).shape == (8, 8, 3)
    return accepted, reasons


def _refuse(rejected: Rejected, reasons: dict[str, list[str]]) -> None:
    assert 0 < len(rejected.reason) < 200 and rejected.reason.isprintable(), rejected
    assert rejected.pictures >= 0, rejected
    reasons.setdefault(rejected.path, []).append(rejected.reason)


def _read_to_serve(paths: dict[int, Path], config: DataConfig) -> None:
    """Read picture files as `darkroom encode` does: each is given back, or missing with a reason."""
    listed = list_pictures(list(paths.values()))
    contents, missing = _read(listed, config.pictures)
    assert len(contents) + len(missing) == len(paths)
    assert all(0 < len(reason) < 200 and "\n" not in reason for _, reason in missing)


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
