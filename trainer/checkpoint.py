"""How far a training has come, kept where it outlives the training: a killed one goes on from its last epoch.

Data alone, a .npz without pickles, written whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

LOGGER = logging.getLogger("darkroom.trainer")
SHARE = 0.02  # of the time that writing may take: where epochs are shorter than that allows, some are left out
_STATE = "state"


@dataclass
class Course:
    """How far a training has come.

    Attributes:
        epoch: The last one that ended.
        best_epoch: The one with the highest ELBO on held-out pictures.
        best_elbo: That ELBO, nats per picture.
        best_weights: The model's weights after it.
        speeds: Images per second of each epoch.
        lines: What the history says of each epoch.
        seconds: Spent so far.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_elbo: float = -float("inf")
    best_weights: list[np.ndarray] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


class Checkpoint:
    """One training's file.

    Args:
        folder: Where it is; it may not exist yet.
        key: What the training depends on: `training_key`. One of another training is another file.
    """

    def __init__(self, folder: Path, key: str):
        self.path = folder / f"{key[:32]}.npz"
        self._due = 0.0

    def beside(self, name: str) -> Checkpoint:
        """That of another part of the same training, which begins where this one has ended."""
        return Checkpoint(self.path.parent, training_key({"of": self.path.stem, "part": name}, []))

    def save(self, course: Course, variables: Sequence[np.ndarray]) -> None:
        """Writes the course and all variables that training changes, unless it was done so shortly ago that it would cost time."""
        begin = time.monotonic()
        if begin < self._due:
            return
        state = {name: value for name, value in asdict(course).items() if name != "best_weights"}
        arrays = {f"variable/{i}": value for i, value in enumerate(variables)}
        arrays |= {f"best/{i}": value for i, value in enumerate(course.best_weights)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        with fresh.open("wb") as file:
            np.savez(file, **{_STATE: np.frombuffer(json.dumps(state).encode(), np.uint8)}, **arrays)
        os.replace(fresh, self.path)
        now = time.monotonic()
        self._due = now + (now - begin) / SHARE

    def load(self, variables: Sequence[np.ndarray]) -> tuple[Course, list[np.ndarray]] | None:
        """What was saved; None where nothing was, or it is damaged or does not fit.

        Args:
            variables: Those of the training as it begins, whose shapes and number must be the same.
        """
        try:
            with np.load(self.path, allow_pickle=False) as saved:
                state = json.loads(saved[_STATE].tobytes())
                found = [saved[f"variable/{i}"] for i in range(sum(name.startswith("variable/") for name in saved.files))]
                best = [saved[f"best/{i}"] for i in range(sum(name.startswith("best/") for name in saved.files))]
                course = Course(best_weights=best, **state)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            LOGGER.warning("training starts anew, its checkpoint %s cannot be read: %s", self.path, error)
            return None
        if [np.shape(value) for value in found] != [np.shape(value) for value in variables]:
            LOGGER.warning("training starts anew, its checkpoint %s is of another model", self.path)
            return None
        return course, found


def training_key(told: dict[str, Any], records: Sequence[str]) -> str:
    """What a training depends on, as SHA-256 in hexadecimal.

    Args:
        told: What it was told, in JSON's types.
        records: The files that it reads, by path, size and time of change: a database that was restored or lost counts
            folders anew, and the same path has other pictures then.
    """
    files = [(path, os.path.getsize(path), os.stat(path).st_mtime_ns) for path in records]
    return hashlib.sha256(json.dumps([told, files], sort_keys=True).encode()).hexdigest()
