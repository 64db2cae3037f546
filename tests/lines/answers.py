"""What a line of TFX makes of pictures and models, as files that the other line's can be compared with.

python -m tests.lines.answers model MODEL PICTURES EXAMPLES OUT.npz
python -m tests.lines.answers examples PICTURES OUT
python -m tests.lines.answers export OUT
python -m tests.lines.answers codes MODELS OUT.npz
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import numpy as np


def answer(model: str, pictures: str, examples: str, out: str) -> None:
    """Write a model's answers through the C API: `score` and `encode` of picture files, `evaluate` of examples, drawn pictures."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from serving.c_api import find_library
    from serving.pushed import PushedModel

    pushed = PushedModel(model)
    paths = sorted(Path(pictures).iterdir())
    values: dict[str, object] = {"paths": [path.name for path in paths], "library": str(find_library())}
    for signature in ("encode", "score", "reconstruct"):
        found = getattr(pushed, signature)(paths)
        assert not found.unreadable, found.unreadable
        values |= {f"{signature}/{name}": value for name, value in found.values.items()}
    records = [record for file in sorted(Path(examples).glob("data_tfrecord-*")) for record in read_records(file)]
    values |= {f"evaluate/{name}": value for name, value in pushed.call("evaluate", examples=records[:200]).items()}
    values["generate/images"] = pushed.generate(8, seed=7)
    np.savez(out, **values)


def read_records(file: Path) -> list[bytes]:
    """Read the records of a TFRecord file: each has 12 bytes before it and 4 after it."""
    data, at, records = file.read_bytes(), 0, []
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        records.append(data[at + 12 : at + 12 + length])
        at += length + 16
    return records


def ingest(pictures: str, out: str) -> None:
    """Write the examples of a folder of pictures by ImageExampleGen, and the levels that the pixel graph makes of them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    from tests.components.image_example_gen import ingestion
    from trainer.config import PreprocessingConfig
    from trainer.preprocessing import decode_levels

    examples = ingestion.ingest(pictures, Path(out)).examples()
    config = PreprocessingConfig(height=16, width=24, channels=3)
    levels = {path: decode_levels(tf.constant(example["image/encoded"]), config).numpy() for path, example in examples.items()}
    np.savez(Path(out) / "levels.npz", **levels)


NETWORKS: dict[str, dict] = {
    "dense": {"conditional": True},
    "convolutional": {"filters": (8, 16)},
    "hierarchical": {"top_latent_dim": 3},
    "spatial": {"latent_channels": 2, "blocks": 1, "width": 16},
}


def export(out: str) -> None:
    """Write a model of each network with random weights, to OUT/NETWORK: its `encode` of pictures of 20x20."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tests.trainer.tiny import make_vae, transform_graph
    from trainer.config import PreprocessingConfig
    from trainer.data import pixel_graph
    from trainer.export import Servable

    pixels = pixel_graph(transform_graph(Path(out) / "transform", PreprocessingConfig(height=20, width=20, channels=3)))
    for network, model in NETWORKS.items():
        vae = make_vae((20, 20, 3), spread=0.1, network=network, **{"latent_dim": 6, "hidden": (64, 64), **model})
        labels = {"big": 0.5, "small": 0.5} if model.get("conditional") else None
        Servable(vae, pixels, 5, labels).save(Path(out) / network, ["encode"])


def code(models: str, out: str) -> None:
    """Write the codes that the models of `export` give pictures of noise, through the C API."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from serving.saved_model import SavedModel
    from tests.lines.pictures import noise

    values = {}
    for network in NETWORKS:
        model = SavedModel(Path(models) / network)
        values |= {f"{network}/{name}": value for name, value in model.call("encode", image_bytes=noise(40)).items()}
    np.savez(out, **values)


if __name__ == "__main__":
    {"model": answer, "examples": ingest, "export": export, "codes": code}[sys.argv[1]](*sys.argv[2:])
