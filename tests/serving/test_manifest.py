"""A model's manifest: every kind of change is noticed, and what a system leaves anywhere is let be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from common.errors import InputError
from serving.manifest import MANIFEST, verify, write_manifest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "data").write_bytes(bytes(range(256)) * 5000)
    (folder / "empty").write_bytes(b"")
    write_manifest(folder)
    return folder


def test_a_model_as_it_was_exported_passes(model: Path) -> None:
    verify(model)
    (model / ".DS_Store").write_text("a system's own", encoding="utf-8")
    verify(model)
    assert set(json.loads((model / MANIFEST).read_text())["files"]) == {"saved_model.pb", "variables/data", "empty"}


@pytest.mark.parametrize("name", ["notes.txt", "variables/data.more", "assets.extra/x/y"])
def test_an_added_file_is_noticed(model: Path, name: str) -> None:
    (model / name).parent.mkdir(parents=True, exist_ok=True)
    (model / name).write_bytes(b"")
    with pytest.raises(InputError, match=f"changed since it was exported: manifest.json does not name {name};"):
        verify(model)
    (model / name).unlink()
    (model / name).symlink_to("/")
    with pytest.raises(InputError, match=f"does not name {name};"):
        verify(model)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/data", "empty"])
def test_a_byte_more_less_or_other_is_noticed(model: Path, name: str) -> None:
    file = model / name
    before = file.read_bytes()
    for changed in {before + b"x", before[:-1], before[:-1] + b"\x00"} - {before}:
        file.write_bytes(changed)
        with pytest.raises(InputError, match=f"changed since it was exported: {name} has another SHA-256") as caught:
            verify(model)
        assert "\n" not in str(caught.value)
    file.unlink()
    with pytest.raises(InputError, match=f"not whole: {name} is missing"):
        verify(model)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"files": []}', "\x00", '{"files": {"saved_model.pb": 1'])
def test_a_damaged_manifest_is_told(model: Path, text: str) -> None:
    (model / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="manifest.json is damaged"):
        verify(model)


def test_without_a_manifest_nothing_is_known(model: Path) -> None:
    (model / MANIFEST).unlink()
    with pytest.raises(InputError, match="has no manifest.json"):
        verify(model)
