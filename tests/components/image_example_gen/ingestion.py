"""What the tests of ingestion share: pictures, folders of them, and a run of the executor."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts

from components.image_example_gen.component import ImageExampleGen
from components.image_example_gen.config import DataConfig
from components.image_example_gen.executor import ImageExampleGenExecutor
from components.image_example_gen.readers.arrays.idx import write_idx

# The runner by name: otherwise Beam first tries one whose program it would have to download. With a container named,
# TFX does not pack itself up for workers elsewhere, which takes a second; nothing is run in it.
BEAM_ARGS = ("--runner=FnApiRunner", "--sdk_container_image=none")


def picture(seed: int, *shape: int) -> np.ndarray:
    """A picture of noise: uint8 of the given shape, 8x8 by default."""
    return np.random.default_rng(seed).integers(0, 256, shape or (8, 8), dtype=np.uint8)


def encode(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def write_pictures(folder: Path, count: int, first: int = 0) -> Path:
    """Writes `count` different PNG pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        (folder / f"{seed:04d}.png").write_bytes(encode(picture(seed)))
    return folder


def write_idx_pair(folder: Path, prefix: str, pixels: np.ndarray, labels: np.ndarray, suffix: str = ".gz") -> None:
    """Writes IDX files of pictures (uint8 of shape [n, h, w] or [n, h, w, c]) and their labels."""
    folder.mkdir(parents=True, exist_ok=True)
    write_idx(folder / f"{prefix}-images-idx{pixels.ndim}-ubyte{suffix}", pixels.shape, [pixels.tobytes()])
    write_idx(folder / f"{prefix}-labels-idx1-ubyte{suffix}", labels.shape, [labels.astype(np.uint8).tobytes()])


@dataclass(frozen=True)
class Ingested:
    """What a run of the executor wrote."""

    artifact: standard_artifacts.Examples

    @property
    def uri(self) -> Path:
        return Path(self.artifact.uri)

    @property
    def summary(self) -> dict:
        return json.loads((self.uri / "summary.json").read_text())

    @property
    def rejects(self) -> dict[str, str]:
        lines = (self.uri / "rejects.jsonl").read_text().splitlines()
        return {reject["path"]: reject["reason"] for reject in map(json.loads, lines)}

    @property
    def splits(self) -> list[str]:
        return artifact_utils.decode_split_names(self.artifact.split_names)

    def files(self) -> dict[str, bytes]:
        """The TFRecord files by their relative path."""
        return {str(path.relative_to(self.uri)): path.read_bytes() for path in sorted(self.uri.glob("Split-*/*"))}

    def examples(self, *splits: str) -> dict[str, dict[str, object]]:
        """The features of each example by its path; of all splits, if none is given."""
        found = {}
        for split in splits or self.splits:
            files = sorted(str(path) for path in (self.uri / f"Split-{split}").iterdir())
            for record in tf.data.TFRecordDataset(files).as_numpy_iterator():
                features = _features(record)
                found[features["image/path"].decode()] = features
        return found


def ingest(folder: Path | str, uri: Path, config: DataConfig = DataConfig(), beam_args: tuple[str, ...] = BEAM_ARGS) -> Ingested:
    """Runs the executor on a folder."""
    component = ImageExampleGen(images=str(folder), config=config, code="")
    examples = standard_artifacts.Examples()
    examples.uri = str(uri)
    uri.mkdir(parents=True)
    context = BaseBeamExecutor.Context(beam_pipeline_args=list(beam_args))
    ImageExampleGenExecutor(context).Do({}, {"examples": [examples]}, dict(component.exec_properties))
    return Ingested(examples)


def _features(record: bytes) -> dict[str, object]:
    features = {}
    for name, feature in tf.train.Example.FromString(record).features.feature.items():
        (features[name],) = getattr(feature, feature.WhichOneof("kind")).value
    return features


def pack(path, members: dict[str, bytes]):
    """Writes an archive of the kind that the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return path
    kind = path.name.rsplit(".", 1)[1].replace("tgz", "gz").replace("tar", "")
    with tarfile.open(path, f"w:{kind}") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path
