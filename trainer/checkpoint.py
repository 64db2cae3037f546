"""The checkpoint of a training, kept in a folder that outlives it. A killed training resumes after its last saved epoch.

It holds data only, a .npz file without pickles, which is written atomically.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

LOGGER = logging.getLogger("darkroom.trainer")
SHARE = 0.02  # maximum share of time for writing; if epochs are too short for it, some are not saved
_STATE = "state"


@dataclass
class Course:
    """The progress of a training: the last epoch, the best one by the ELBO on held-out images, nats per image, and the time so far.

    Attributes:
        best_weights: The model's weights after the best epoch.
        speeds: Images per second of each epoch.
        lines: The history's line of each epoch.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_elbo: float = -float("inf")
    best_weights: list[np.ndarray] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def to_array(self) -> np.ndarray:
        """Return everything but the weights as JSON, uint8 [n]."""
        state = {name: value for name, value in asdict(self).items() if name != "best_weights"}
        return np.frombuffer(json.dumps(state).encode(), np.uint8)

    @classmethod
    def from_array(cls, array: np.ndarray, best_weights: list[np.ndarray]) -> Course:
        """Return the course of a result of `to_array`, integers [n], and the weights."""
        return cls(best_weights=best_weights, **json.loads(array.astype(np.uint8).tobytes()))


class Checkpoint:
    """The file of one training in a folder, which may not exist yet. The key is the result of `training_key`."""

    def __init__(self, folder: Path, key: str):
        self.path = folder / f"{key[:32]}.npz"
        self._due = 0.0

    @classmethod
    def of_file(cls, path: Path) -> Checkpoint:
        """Return the checkpoint whose `path` is given."""
        return cls(path.parent, path.stem)

    def beside(self, name: str) -> Checkpoint:
        """Return the checkpoint of another part of the same training."""
        return Checkpoint(self.path.parent, training_key({"of": self.path.stem, "part": name}, []))

    def save(self, course: Course, variables: Sequence[np.ndarray]) -> None:
        """Write the course and all variables that training changes, unless the last write was too recent; see `SHARE`."""
        begin = time.monotonic()
        if begin < self._due:
            return
        arrays = {f"variable/{i}": value for i, value in enumerate(variables)}
        arrays |= {f"best/{i}": value for i, value in enumerate(course.best_weights)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        with fresh.open("wb") as file:
            np.savez(file, **{_STATE: course.to_array()}, **arrays)
        fresh.replace(self.path)
        now = time.monotonic()
        self._due = now + (now - begin) / SHARE

    def load(self, variables: Sequence[np.ndarray]) -> tuple[Course, list[np.ndarray]] | None:
        """Return the saved course and variables. Return None if nothing was saved, or if it is damaged or of another model.

        The variables of the training at its start must have the same number and shapes as the saved ones.
        """
        try:
            with np.load(self.path, allow_pickle=False) as saved:
                values = [saved[f"variable/{i}"] for i in range(sum(name.startswith("variable/") for name in saved.files))]
                best = [saved[f"best/{i}"] for i in range(sum(name.startswith("best/") for name in saved.files))]
                course = Course.from_array(saved[_STATE], best)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            LOGGER.warning("training starts anew, its checkpoint %s cannot be read: %s", self.path, error)
            return None
        if [np.shape(value) for value in values] != [np.shape(value) for value in variables]:
            LOGGER.warning("training starts anew, its checkpoint %s is of another model", self.path)
            return None
        return course, values

    def restore(self, variables: Sequence[Any]) -> Course | None:
        """Set the variables of a training to the saved ones, and return its course; see `load`."""
        saved = self.load([variable.numpy() for variable in variables])
        if saved is None:
            return None
        for variable, value in zip(variables, saved[1]):
            variable.assign(value)
        return saved[0]


def training_key(arguments: dict[str, Any], records: Sequence[str]) -> str:
    """Return the SHA-256 of everything that a training depends on, in hexadecimal.

    Args:
        arguments: The training's arguments, in JSON's types.
        records: The files that the training reads. Size and modification time count beside the path, because a restored or lost
            database numbers folders anew, and the same path then has other images.
    """
    stats = ((path, Path(path).stat()) for path in records)
    files = [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    return hashlib.sha256(json.dumps([arguments, files], sort_keys=True).encode()).hexdigest()
