"""Where a model came from, in words."""

from __future__ import annotations

from pipeline.metadata.lineage import Lineage, _by_number, _own_settings


def lines(tmp_path, spans=(), pictures=None, config=None):
    there, gone = tmp_path, tmp_path / "gone"
    found = Lineage(3, "r", "/p/span-{SPAN}", "f", 10, pictures or {}, config or {}, "c", str(there), str(gone), "", "", spans)
    return found.lines()


def test_what_has_been_deleted_is_said_to_be(tmp_path):
    shown = lines(tmp_path)
    assert f"examples: {tmp_path}" in shown and f"model: {tmp_path}/gone (deleted since)" in shown
    assert "started from: nothing, its weights were random" in shown


def test_a_window_is_named(tmp_path):
    three = lines(tmp_path, ("span-8", "span-9", "span-10"), {"train": 9})
    assert three[1].startswith("pictures: /p/span-{SPAN}, span-8 to span-10 (9 train)")
    assert lines(tmp_path, ("span-10",), {"train": 9})[1].startswith("pictures: /p/span-{SPAN}, span 10 (9 train)")
    deleted = lines(tmp_path, config={"data": {"span_window": 3}})[1]
    assert "span 10 and the last before it, 3 at the most (deleted since)" in deleted
    assert sorted(("span-10", "span-9"), key=_by_number) == ["span-9", "span-10"]


def test_what_is_not_as_it_is_by_itself(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("title: cats\ndata: {span_window: 3, eval_share: 0.1}\nvalidation: {max_near_black: 0.9}\nevaluation: null\n")
    assert _own_settings(path) == {"data": {"span_window": 3}, "validation": {"max_near_black": 0.9}}
    assert _own_settings(tmp_path / "nowhere") == {}
