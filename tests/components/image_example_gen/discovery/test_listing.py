"""The list of picture files on its way to the workers."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from components.image_example_gen.discovery.listing import Listing, divide_rows, place, read_part
from components.image_example_gen.discovery.manifests import Row
from components.image_example_gen.items import Entry

ENTRIES = [
    Entry(f"{number % 7}/ü\udcff {number}.png", number, *((f"l{number}", "eval") if number % 3 else ())) for number in range(1000)
]


def divided(entries, folder, parts):
    folder.mkdir()
    with Listing() as listing:
        for entry in entries:
            listing.add(entry)
        return [read_part(path) for path in listing.divide(parts, str(folder), "files")]


@pytest.mark.parametrize("parts", [1, 3, 40])
def test_each_file_is_in_one_part_whatever_order_they_came_in(tmp_path, parts):
    first = divided(ENTRIES, tmp_path / "one", parts)
    shuffled = random.Random(0).sample(ENTRIES, len(ENTRIES))
    assert divided(shuffled, tmp_path / "two", parts) == first
    assert sorted(Entry(*values) for part in first for values in part) == sorted(ENTRIES)
    assert all(len(part) == pytest.approx(1000 / parts, abs=4 * (1000 / parts) ** 0.5) for part in first)
    places = [place(values[0]) for part in first for values in part]
    assert places == sorted(places), "parts follow each other"


def test_rows_of_a_label_file_are_divided_like_the_pictures(tmp_path):
    parts = divided(ENTRIES, tmp_path / "files", 5)
    rows = [Row(entry.path, "x", None) for entry in ENTRIES]
    parts_read = [read_part(path) for path in divide_rows(rows, 5, [], str(tmp_path / "files"), "labels")]
    assert [[values[0] for values in part] for part in parts_read] == [[values[0] for values in part] for part in parts]


def test_rows_of_a_label_file_go_to_their_archives(tmp_path):
    rows = [Row(path, "x", None) for path in ("a.zip/1.png", "b/c.tar/cats/2.png", "b/c.tar/3.png", "d/4.png", "a.zip.png")]

    def divided(parts):
        files = divide_rows(rows, parts, ["a.zip", "b/c.tar"], str(tmp_path), "labels")
        return [sorted(values[0] for values in read_part(path)) for path in files]

    inside = [["a.zip/1.png"], ["b/c.tar/3.png", "b/c.tar/cats/2.png"]]
    assert divided(1) == [["a.zip.png", "d/4.png"], *inside]
    assert divided(0) == inside


LIST = """
import resource, sys
from components.image_example_gen.discovery.find import find_sources
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sources = find_sources(sys.argv[1])
print(sources.count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_listing_holds_no_list(tmp_path):
    for number in range(100_000):
        if number % 10_000 == 0:
            folder = tmp_path / str(number)
            folder.mkdir()
        (folder / f"a rather long name of a picture, number {number}.png").touch()
    command = [sys.executable, "-c", LIST, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[4], capture_output=True, text=True, check=True)
    count, kibibytes = map(int, done.stdout.split())
    assert count == 100_000 and kibibytes < 8_000  # a list of the names alone would take more than 12 MB
