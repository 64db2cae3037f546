"""Find a pushed model, and call its signatures."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import InputError, one_line
from common.lines import readable
from serving.c_api import INVALID_ARGUMENT, TensorFlowError
from serving.manifest import verify
from serving.picture_files import PictureOptions, Refused, format_of, read_picture_file
from serving.saved_model import SavedModel

BATCH = 256  # Pictures per call: enough to keep the machine busy, few enough for memory.
GENERATE_BLOCK = 64  # Part of the meaning of a seed: another value changes all pictures after the first block.
_SEED_STRIDE = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: keeps the block seeds of neighboring seeds apart.


def find_model(work: str | Path | None = None, model: str | Path | None = None, version: int | None = None) -> Path:
    """Find the folder of a pushed model, given by exactly one of `work` and `model`.

    Args:
        work: A work folder of `darkroom run`; its models are in WORK/serving/<version>.
        model: A SavedModel's folder, or a folder of numbered versions.
        version: The version. Defaults to the highest complete one.

    Raises:
        InputError: There is no such model.

    Example:
        >>> find_model()
        Traceback (most recent call last):
        common.errors.InputError: say which model: --work DIR for a work folder of `darkroom run`, or --model DIR for a model
    """
    if (work is None) == (model is None):
        raise InputError("say which model: --work DIR for a work folder of `darkroom run`, or --model DIR for a model")
    if work is not None:
        if not Path(work).is_dir():
            raise InputError(f"there is no work folder {work}: `darkroom run --work {shlex.quote(str(work))}` makes it")
        nothing = f"no model has been pushed to {work} yet: `darkroom run --work {shlex.quote(str(work))}` trains and pushes one"
        return _version_in(Path(work) / "serving", version, nothing)
    folder = Path(str(model))
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    if (folder / "saved_model.pb").is_file():
        if version is not None:
            raise InputError(f"{folder} is one model, not a folder of versions: leave --version out")
        return folder
    hint = f"; it looks like a work folder: try --work {shlex.quote(str(folder))}" if (folder / "serving").is_dir() else ""
    return _version_in(folder, version, f"there is no model in {folder}: saved_model.pb is missing{hint}")


def _version_in(folder: Path, version: int | None, nothing: str) -> Path:
    """Return the folder of `version`, or of the highest version; folders without saved_model.pb are incomplete and are ignored."""
    numbered = [child for child in folder.iterdir() if child.name.isdecimal()] if folder.is_dir() else []
    versions = {int(child.name): child for child in numbered if (child / "saved_model.pb").is_file()}
    if not versions:
        raise InputError(nothing)
    if version is None:
        return versions[max(versions)]
    if version not in versions:
        there_are = ", ".join(map(str, sorted(versions)))
        raise InputError(f"there is no version {version} in {folder}: there are {there_are}")
    return versions[version]


@dataclass(frozen=True)
class PictureAnswers:
    """A model's answers about picture files."""

    paths: list[Path]  # the n readable files, in the order given
    values: dict[str, np.ndarray]  # one array [n, ...] for each output of the signature
    unreadable: list[tuple[Path, str]] = field(default_factory=list)  # the other files, each with the reason


class PushedModel(SavedModel):
    """A pushed model, loaded by TensorFlow's C++ runtime, which TensorFlow Serving also uses.

    Set TF_CPP_MIN_LOG_LEVEL before creating one: TensorFlow's library reads it on loading.

    Args:
        path: The SavedModel's folder, from `find_model`.
        batch: Pictures per call.
        progress: Called with the number of pictures done after each batch.

    Attributes:
        about: The content of model.json.
        image_shape: Height, width and channels of the model's pictures.
        latent_dim: Length of the codes.
        options: How picture files are read: as for training.

    Raises:
        InputError: The folder holds no Darkroom model, or a broken or changed one.
    """

    def __init__(self, path: str | Path, *, batch: int = BATCH, progress: Callable[[int], None] | None = None):
        self.path = Path(path)
        self.progress = progress or (lambda done: None)
        self._batch = batch
        self.about = _read_about(self.path)
        verify(self.path)
        self.image_shape: tuple[int, int, int] = self.about["image_shape"]
        self.latent_dim: int = self.about["latent_dim"]
        self.options = PictureOptions.from_dict(self.about.get("picture_files", {}))
        super().__init__(self.path)

    def generate(self, count: int, seed: int, temperature: float = 1.0, label: str | None = None) -> np.ndarray:
        """Draw new pictures, uint8 [count, h, w, c].

        The pictures depend on the seed and the temperature, not on the count: 10 pictures are the first 10 of 1000. For that, they
        are always drawn in blocks of 64, each with its own seed derived from `seed`. The first block uses `seed` itself, so a
        server asked for 64 pictures returns the same ones.

        Args:
            count: Number of pictures, at least 1.
            seed: 0 to 2**63 - 1.
            temperature: Spread of the codes: 1 as trained, 0 the mean of the prior.
            label: The label of the pictures; None for any.

        Raises:
            InputError: The model does not know that label, or is not conditional.
        """
        blocks, given = [], self._label(label)
        for block in range(math.ceil(count / GENERATE_BLOCK)):
            block_seed = (seed + block * _SEED_STRIDE) % 2**63
            request = {"count": np.int64(GENERATE_BLOCK), "seed": np.int64(block_seed)}
            answer = self.call("generate", temperature=np.float32(temperature), **request, **given)
            blocks.append(answer["images"])
            self.progress(GENERATE_BLOCK)
        return np.concatenate(blocks)[:count]

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Decode codes, float32 [n, latent_dim], to pictures, uint8 [n, h, w, c]."""
        batches = (latents[start : start + self._batch] for start in range(0, len(latents), self._batch))
        return np.concatenate([self.call("serving_default", latents=batch)["images"] for batch in batches])

    def interpolate(self, start: str | Path, end: str | Path, steps: int) -> np.ndarray:
        """Interpolate between the codes of two picture files in at least 2 steps: uint8 [steps, h, w, c], both ends included.

        Raises:
            InputError: A file is not a readable picture.
            TensorFlowError: The model fails for another reason.
        """
        contents, unreadable = _read([Path(start), Path(end)], self.options)
        refusal: Exception = InputError(f"{start} or {end} cannot be read as a picture")
        for as_png in () if unreadable else (False, True):
            image_bytes = [(_as_png(content, self.options) if as_png else None) or content for _, content in contents]
            try:
                return self.call("interpolate", image_bytes=image_bytes, steps=np.int64(steps))["images"]
            except TensorFlowError as error:
                if error.code != INVALID_ARGUMENT:
                    raise
                refusal = error
        for path, reason in self.encode([start, end]).unreadable:
            raise InputError(f"{path} cannot be read as a picture: {reason}") from refusal
        raise refusal

    def encode(self, paths: Sequence[str | Path]) -> PictureAnswers:
        """Return `mean` and `log_variance`, float32 [n, latent_dim], of the posteriors of picture files. See `score`.

        A conditional model also returns `label`, bytes [n]: the label that each picture was encoded with, and must be decoded with.
        """
        return self._ask("encode_label" if self.offers("encode_label") else "encode", paths)

    def reconstruct(self, paths: Sequence[str | Path]) -> PictureAnswers:
        """Return `images`, uint8 [n, h, w, c]: the reconstructions of picture files. See `score`."""
        return self._ask("reconstruct", paths)

    def score(self, paths: Sequence[str | Path]) -> PictureAnswers:
        """Return `elbo`, `reconstruction` and `kl`, float32 [n], in nats. A low ELBO marks a picture unlike the training data.

        The model's own graph decodes the files: PNG, JPEG, GIF or BMP of any size. Other formats are converted first. An unreadable
        file does not stop the others: it is left out and listed in `unreadable`.

        Raises:
            InputError: None of the files could be read.
            TensorFlowError: The model fails for another reason.
        """
        return self._ask("score", paths)

    def ask(self, signature: str, content: bytes) -> dict[str, np.ndarray]:
        """Return the answer of a signature to the content of one picture file, [1, ...] each.

        Raises:
            InputError: It cannot be read as a picture; the message is the reason.
            TensorFlowError: The model fails for another reason.
        """
        try:
            data = read_picture_file(content, self.options).data
        except Refused as refused:
            raise InputError(refused.reason) from None
        _, values = next(self._answers(signature, [(Path(), data)]))
        if isinstance(values, str):
            raise InputError(values)
        return values

    def _label(self, label: str | None) -> dict[str, bytes]:
        """Return the label input, if the model takes one."""
        if not self.about.get("conditional"):
            if label is not None:
                raise InputError(f"the model in {self.path} was trained without labels (set model.conditional=true to train one)")
            return {}
        known = self.about["labels"]
        label = readable(label) if label is not None else None
        if label is not None and label not in known:
            raise InputError(f"unknown label {label!r}: the model knows {', '.join(known)}")
        return {"label": (label or "").encode()}

    def _ask(self, signature: str, paths: Sequence[str | Path]) -> PictureAnswers:
        """Call a signature on picture files, batch by batch."""
        kept: list[Path] = []
        parts: list[dict[str, np.ndarray]] = []
        unreadable: list[tuple[Path, str]] = []
        for start in range(0, len(paths), self._batch):
            batch = [Path(path) for path in paths[start : start + self._batch]]
            contents, missing = _read(batch, self.options)
            unreadable += missing
            for answered, values in self._answers(signature, contents):
                if isinstance(values, str):
                    unreadable.append((answered[0], values))
                else:
                    kept += answered
                    parts.append(values)
            self.progress(len(batch))
        if not kept:
            raise InputError(f"no picture could be read: {unreadable[0][0]}: {unreadable[0][1]}")
        values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return PictureAnswers(kept, values, unreadable)

    def _answers(
        self, signature: str, contents: Sequence[tuple[Path, bytes]]
    ) -> Iterator[tuple[list[Path], dict[str, np.ndarray] | str]]:
        """Yield pictures with their answers, and each picture that the model's graph refuses with the reason.

        One bad picture makes the graph refuse the whole batch: the batch is halved until the picture is found.
        """
        if not contents:
            return
        try:
            values = self.call(signature, image_bytes=[content for _, content in contents])
        except TensorFlowError as error:
            if error.code != INVALID_ARGUMENT:
                raise
            if len(contents) == 1:
                path, content = contents[0]
                png = _as_png(content, self.options)
                if png is None:
                    yield [path], one_line(error)
                else:
                    yield from self._answers(signature, [(path, png)])
                return
            half = len(contents) // 2
            yield from self._answers(signature, contents[:half])
            yield from self._answers(signature, contents[half:])
        else:
            yield [path for path, _ in contents], values


def _as_png(content: bytes, options: PictureOptions) -> bytes | None:
    """Re-encode a GIF or BMP that the model's graph cannot read as PNG, as ingestion does; None for other or damaged files."""
    try:
        return read_picture_file(content, options, anew=True).data if format_of(content) in ("gif", "bmp") else None
    except Refused:
        return None


def _read(paths: Sequence[Path], options: PictureOptions) -> tuple[list[tuple[Path, bytes]], list[tuple[Path, str]]]:
    """Return the contents of the files in a form that the model's graph reads, and the unreadable files with the reason."""
    contents, missing = [], []
    for path in paths:
        try:
            contents.append((path, read_picture_file(path.read_bytes(), options).data))
        except OSError as error:
            missing.append((path, error.strerror or str(error)))
        except Refused as refused:
            missing.append((path, refused.reason))
    return contents, missing


def _read_about(folder: Path) -> dict[str, Any]:
    file = folder / "model.json"
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        height, width, channels = about["image_shape"]
        shape = (int(height), int(width), int(channels))
        PictureOptions.from_dict(about.get("picture_files", {}))
        return {**about, "image_shape": shape, "latent_dim": int(about["latent_dim"])}
    except FileNotFoundError:
        raise InputError(f"{folder} holds no model of Darkroom's: model.json is missing") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged ({one_line(error)}): push the model again") from error
