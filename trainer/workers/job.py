"""The folder that the Trainer and its workers share: what to train, and what came of it.

The workers need nothing else: no examples, no Transform graph and no TFX.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trainer.checkpoint import Checkpoint, Course
from trainer.config import TrainerConfig
from trainer.data import Pictures
from trainer.features.distance import Convolution, FeatureDistance
from trainer.loop import Outcome
from trainer.vae import TrainingData

SPLITS = ("train", "eval")


class Job:
    """A training to be done by workers.

    The files of the folder are written whole: a reader finds the complete file or none.

    Args:
        folder: The folder, which all workers see under this path.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def write(
        self,
        config: TrainerConfig,
        pictures: Mapping[str, Pictures],
        data: TrainingData,
        weights: Sequence[np.ndarray],
        distance: FeatureDistance | None,
        checkpoint: Checkpoint | None,
    ) -> None:
        """Write what to train.

        Args:
            config: The trainer's configuration. `training.augmentation` does not contain `auto`.
            pictures: The images of `SPLITS`.
            data: The statistics that the model is built with.
            weights: The initial weights of the model.
            distance: The distance for `training.feature_weight`, if any.
            checkpoint: Where the training keeps its progress, if anywhere. The chief has to see it under this path.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in SPLITS:
            self._save(f"{name}.levels.npy", pictures[name].levels)
            self._save(f"{name}.labels.npy", pictures[name].labels)
        self._save_many("data.npz", {name: value for name, value in data._asdict().items() if value is not None})
        self._save_many("weights.npz", {str(i): value for i, value in enumerate(weights)})
        layers = [] if distance is None else distance.convolutions
        arrays = {f"{i}/{name}": np.asarray(value) for i, layer in enumerate(layers) for name, value in layer._asdict().items()}
        self._save_many("features.npz", arrays)
        self._file("mistake.txt").unlink(missing_ok=True)  # of an earlier attempt
        request = {"config": config.to_dict(), "checkpoint": str(checkpoint.path) if checkpoint else None}
        self._write_text("request.json", json.dumps(request))

    def read_config(self) -> tuple[TrainerConfig, Checkpoint | None]:
        """Return the configuration and the checkpoint."""
        request = json.loads((self.folder / "request.json").read_text(encoding="utf-8"))
        path = request["checkpoint"]
        return TrainerConfig.from_dict(request["config"]), Checkpoint.of_file(Path(path)) if path else None

    def read_pictures(self, name: str) -> Pictures:
        """Return the images of a split, in files that the processes of a machine share in memory."""
        return Pictures(np.load(self._file(f"{name}.levels.npy"), mmap_mode="r"), np.load(self._file(f"{name}.labels.npy")))

    def read_data(self) -> TrainingData:
        """Return the statistics that the model is built with."""
        with np.load(self._file("data.npz")) as saved:
            values = dict(saved)
        return TrainingData(**{**values, "labels": int(values["labels"])})

    def read_weights(self) -> list[np.ndarray]:
        """Return the initial weights of the model."""
        with np.load(self._file("weights.npz")) as saved:
            return [saved[str(i)] for i in range(len(saved.files))]

    def read_distance(self) -> FeatureDistance | None:
        """Return the distance for `training.feature_weight`, or None if there is none."""
        with np.load(self._file("features.npz")) as saved:
            count = len({name.partition("/")[0] for name in saved.files})
            layers = [{name: saved[f"{i}/{name}"] for name in Convolution._fields} for i in range(count)]
        built = [Convolution(each["kernel"], each["bias"], int(each["stride"]), float(each["variance"])) for each in layers]
        return FeatureDistance.of_convolutions(built) if built else None

    def write_outcome(self, outcome: Outcome, course: Course, checksums: Sequence[int]) -> None:
        """Write how the training ended. The course has the weights of the best epoch, and the checksums are those of each worker's."""
        Checkpoint(self.folder, "trained").save(course, course.best_weights)
        self._write_text("outcome.json", json.dumps({"checksums": list(checksums), "outcome": dataclasses.asdict(outcome)}))

    def read_checksums(self) -> list[int]:
        """Return the checksum of each worker's weights."""
        return json.loads(self._file("outcome.json").read_text(encoding="utf-8"))["checksums"]

    def is_done(self) -> bool:
        """Return whether the training has ended well."""
        return self._file("outcome.json").is_file()

    def read_outcome(self, model: keras.Model) -> tuple[Outcome, Course]:
        """Return how the training ended, and give the model, built as the workers', the weights of the best epoch.

        Raises:
            RuntimeError: The workers left no outcome.
        """
        course = Checkpoint(self.folder, "trained").restore(model.weights) if self.is_done() else None
        if course is None:
            raise RuntimeError(f"the training's workers left no weights in {self.folder}")
        return Outcome(**json.loads(self._file("outcome.json").read_text(encoding="utf-8"))["outcome"]), course

    def write_mistake(self, message: str) -> None:
        """Write the user's mistake that ended the training."""
        self._write_text("mistake.txt", message)

    def read_mistake(self) -> str:
        """Return the user's mistake that ended the training, '' for none."""
        path = self._file("mistake.txt")
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def _file(self, name: str) -> Path:
        return self.folder / name

    def _save(self, name: str, array: np.ndarray) -> None:
        with self._file(f"{name}.new").open("wb") as out:
            np.save(out, array)
        self._file(f"{name}.new").replace(self._file(name))

    def _save_many(self, name: str, arrays: Mapping[str, Any]) -> None:
        with self._file(f"{name}.new").open("wb") as out:
            np.savez(out, **arrays)
        self._file(f"{name}.new").replace(self._file(name))

    def _write_text(self, name: str, text: str) -> None:
        self._file(f"{name}.new").write_text(text, encoding="utf-8")
        self._file(f"{name}.new").replace(self._file(name))
