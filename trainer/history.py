"""The history of a training: one line of JSON per epoch, and the same figures for TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorflow as tf


class History:
    """Write `history.jsonl` and TensorBoard logs to a folder during training."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "history.jsonl"
        self.path.write_text("", encoding="utf-8")
        self._writers = {name: tf.summary.create_file_writer(str(folder / "logs" / name)) for name in ("train", "eval")}

    def write(self, *, epoch: int, train: dict[str, float], eval: dict[str, float], **values: Any) -> None:
        """Add an epoch: means over its training images and over the held-out images (nats), and any other values."""
        line = json.dumps({"epoch": epoch, **values, "train": train, "eval": eval})
        with self.path.open("a", encoding="utf-8") as out:
            out.write(line + "\n")
        for name, figures in (("train", {**train, **values}), ("eval", eval)):
            with self._writers[name].as_default(step=epoch):
                for key, value in figures.items():
                    tf.summary.scalar(key, value)
            self._writers[name].flush()

    def close(self) -> None:
        """Close the TensorBoard logs."""
        for writer in self._writers.values():
            writer.close()
