"""Spans by number and by date, and a window of the last ones."""

from __future__ import annotations

import pytest

from common.errors import InputError
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.discovery.spans import find_spans, has_spans
from tests.components.image_example_gen.ingestion import ingest, write_pictures


def folders(base, *names):
    for name in names:
        (base / name).mkdir(parents=True)
    return base


def test_numbered_spans_in_the_order_of_their_numbers(tmp_path):
    folders(tmp_path, "span-2/x", "span-10/x", "span-1/x", "span-x/x", "other")
    base, spans = find_spans(f"{tmp_path}/span-{{SPAN}}/*", 2)
    assert base == str(tmp_path) and [(span.number, span.folder) for span in spans] == [(2, "span-2"), (10, "span-10")]


def test_of_each_span_the_highest_version(tmp_path):
    folders(tmp_path, "span-1/v-1/p", "span-1/v-12/p", "span-1/v-9/p", "span-2/v-3/p", "span-3/none")
    _, spans = find_spans(f"{tmp_path}/span-{{SPAN}}/v-{{VERSION}}/p", 5)
    assert [span.folder for span in spans] == ["span-1/v-12/p", "span-2/v-3/p"]


def test_dates(tmp_path):
    folders(tmp_path, "2025-12-31", "2026-01-02", "2026-01-01", "2026-02-31", "26-1-1")
    _, spans = find_spans(f"{tmp_path}/{{YYYY}}-{{MM}}-{{DD}}", 2)
    assert [span.folder for span in spans] == ["2026-01-01", "2026-01-02"] and spans[1].number - spans[0].number == 1
    folders(tmp_path, "y/2026/03/04")
    assert find_spans(f"{tmp_path}/y/{{YYYY}}/{{MM}}/{{DD}}", 1)[1][0].number == spans[1].number + 61


@pytest.mark.parametrize(
    "path, reason",
    [
        ("{VERSION}", "needs {SPAN}, or all of"),
        ("{YYYY}-{MM}", "needs {SPAN}, or all of"),
        ("{SPAN}-{SPAN}", "only once"),
        ("week-{SPAN}", "no folder in .* matches week-{SPAN}"),
    ],
)
def test_mistakes(tmp_path, path, reason):
    folders(tmp_path, "span-1")
    with pytest.raises(InputError, match=reason):
        find_spans(f"{tmp_path}/{path}", 1)


def test_what_has_spans():
    assert has_spans("/a/{SPAN}/b") and not has_spans("/a/{b}")


def test_a_rolling_window_is_read_together_and_the_spans_are_no_labels(tmp_path):
    for span in (1, 2, 3):
        write_pictures(tmp_path / f"span-{span}/cat", 20, 100 * span)
        write_pictures(tmp_path / f"span-{span}/dog", 10, 100 * span + 50)
    images = f"{tmp_path}/span-{{SPAN}}"
    result = ingest(images, tmp_path / "out", DataConfig(span_window=2))
    assert {path.split("/")[0] for path in result.examples()} == {"span-2", "span-3"} and len(result.examples()) == 60
    assert {found["image/label"] for found in result.examples().values()} == {b"cat", b"dog"}
    assert find_sources(images).span == 3 and find_sources(images).count == 30


def test_split_folders_in_each_span(tmp_path):
    for span in (1, 2):
        write_pictures(tmp_path / f"{span}/train/cat", 20, 100 * span)
        write_pictures(tmp_path / f"{span}/val/cat", 5, 100 * span + 50)
    result = ingest(f"{tmp_path}/{{SPAN}}", tmp_path / "out", DataConfig(span_window=2, test_share=0))
    assert result.summary["pictures"] == {"train": 40, "eval": 10} and result.summary["labels"]["eval"] == {"cat": 10}


def test_two_folders_of_the_same_span(tmp_path):
    folders(tmp_path, "span-10", "span-010", "span-9")
    with pytest.raises(InputError, match="span-010 and span-10 in .* are the same span, 10: rename one of them"):
        find_spans(f"{tmp_path}/span-{{SPAN}}", 1)
