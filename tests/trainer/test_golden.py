"""Golden answers on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainer.golden import load_golden, save_golden

INPUTS = {
    "generate": {"count": np.int32(6), "seed": np.int64(2**63 - 1)},
    "encode": {"image_bytes": [b"\x89PNG\0\0", b"", b"\0"]},
    "empty": {"image_bytes": []},
    "label": {"known": "täglich".encode(), "any": b""},
}
ANSWERS = {"generate": {"images": np.zeros((2, 8, 8, 1), np.uint8)}, "generate_png": {"png_bytes": [b"a", b"bc"]}}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    save_golden(tmp_path / "golden", INPUTS, ANSWERS)
    inputs, answers = load_golden(tmp_path / "golden")
    for loaded, saved in ((inputs, INPUTS), (answers, ANSWERS)):
        assert {name: set(values) for name, values in loaded.items()} == {n: set(v) for n, v in saved.items()}
    assert inputs["encode"]["image_bytes"] == INPUTS["encode"]["image_bytes"]
    assert inputs["empty"]["image_bytes"] == []
    assert inputs["generate"]["seed"] == 2**63 - 1 and inputs["generate"]["count"].dtype == np.int32
    assert inputs["label"]["known"].item() == "täglich".encode() and inputs["label"]["any"].item() == b""
    assert answers["generate"]["images"].shape == (2, 8, 8, 1)


def test_strings_are_stored_as_padded_bytes_and_lengths(tmp_path: Path) -> None:
    save_golden(tmp_path, INPUTS, ANSWERS)
    stored = np.load(tmp_path / "inputs.npz", allow_pickle=False)
    assert stored["encode/image_bytes#bytes"].shape == (3, 6)
    assert stored["encode/image_bytes#lengths"].tolist() == [6, 0, 1]


def test_a_missing_and_a_damaged_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_golden(tmp_path)
    save_golden(tmp_path, INPUTS, ANSWERS)
    content = (tmp_path / "answers.npz").read_bytes()
    (tmp_path / "answers.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="answers.npz is damaged"):
        load_golden(tmp_path)
