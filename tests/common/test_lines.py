"""Lines for a person: one line, short, and still saying what it said."""

from __future__ import annotations

import os
import random

import pytest

from common.lines import LIMIT, duration, escaped, in_one_line, readable

PATH = "/data/" + "/".join(["a-folder-with-a-name"] * 30) + "/cat.png"
LETTERS = ["a", "b", " ", " ", "/", ".", ";", ":", "(", ")", ",", "\n", "\r", "\t", "\x00", "\x1b", "\x85", "\u2028", "\u202e"]
LETTERS += ["é", "日", "🙂", "\u0301", "\ud800", "\udcff", "; ", " (", "…", "word ", "x" * 30, PATH]


def texts(count: int) -> list[str]:
    rng = random.Random(3)
    return ["".join(rng.choices(LETTERS, k=rng.randrange(rng.choice([3, 30, 300, 3000])))) for _ in range(count)]


@pytest.mark.parametrize("limit", [LIMIT, 80])
def test_any_text_becomes_one_short_line_that_can_be_printed(limit):
    for text in texts(400):
        line = in_one_line(text, limit)
        assert len(line) < limit and len(line.splitlines()) <= 1
        assert not any(ord(character) < 32 or "\ud800" <= character <= "\udfff" for character in line)
        line.encode("utf-8")
        assert in_one_line(line, limit) == line


def test_what_fits_stays_as_it_is():
    for text in (
        "",
        "a",
        "unknown field trainin.epochs; did you mean training.epochs?",
        "größe/日本.png",
        "a  b ",
        "x" * 199,
        "👩‍👩‍👧 is a family",
    ):
        assert in_one_line(text) == text


def test_the_beginning_and_the_file_survive_a_long_path():
    line = in_one_line(f"cannot read {PATH}: it is empty")
    assert line.startswith("cannot read /data/a-folder") and line.endswith("/cat.png: it is empty") and "…" in line


def test_a_line_of_two_long_paths_shows_the_end_of_both():
    line = in_one_line(f"{PATH} and {PATH.replace('cat', 'dog')} are the same picture")
    assert "/cat.png and" in line and "/dog.png are the same picture" in line


def test_a_long_sentence_is_cut_after_a_word():
    line = in_one_line("the columns are " + ", ".join(f"pixel{i}" for i in range(784)))
    assert line.startswith("the columns are pixel0, pixel1") and line.endswith("…")
    assert line[:-1].split(", ")[-1].removeprefix("pixel").isdigit()


@pytest.mark.parametrize(
    "hint", ["; name the column in data.array", " (see darkroom run --help)", "; 3 more above (see work/runs/1)"]
)
def test_a_hint_at_the_end_survives(hint):
    line = in_one_line("no such column: there are " + ", ".join(f"pixel{i}" for i in range(784)) + hint)
    assert line.startswith("no such column: there are pixel0") and line.endswith(f"…{hint}")


def test_control_characters_and_marks_that_turn_text_round_are_written_out():
    assert escaped("a\nb\r\tc\x1b[31m\x85\u2028\u202egnp.exe") == r"a\nb\r\tc\x1b[31m\x85\u2028\u202egnp.exe"


def test_a_whole_file_costs_no_more_than_a_line():
    line = in_one_line("the header is " + "\n,x" * 10_000_000 + "; name the column in data.array")
    assert line.startswith("the header is ") and line.endswith("; name the column in data.array") and len(line) < LIMIT


def test_a_name_in_bytes_is_read_as_utf_8():
    assert readable("größe-日本".encode().decode("ascii", "surrogateescape")) == "größe-日本"
    assert readable("\udcff.png") == "\ufffd.png" and readable("\ud800") == "?" and readable("größe") == "größe"


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_a_path_that_is_no_text_can_be_shown():
    assert escaped(os.fsdecode(b"a\xffb\nc")) == "a\ufffdb\\nc"


def test_a_command_to_copy_stays_whole_where_there_is_room():
    command = f"`darkroom restore --work {PATH[:50]}`"
    assert command in in_one_line(f"{PATH} is damaged: {command} puts it back, and {PATH} stays")


def test_a_command_that_a_line_has_no_room_for_is_still_seen_to_be_one():
    line = in_one_line(f"failed: {PATH} is damaged: `darkroom restore {PATH[:200]} --work {PATH[:150]}` puts it back")
    assert len(line) < LIMIT and line.startswith("failed: ") and "`darkroom restore " in line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89.4, "89 s"), (90, "2 min"), (780, "13 min"), (5399, "90 min"), (5400, "1.5 h"), (86_400, "24.0 h")],
)
def test_a_duration_is_a_number_that_one_can_imagine(seconds, text):
    assert duration(seconds) == text
