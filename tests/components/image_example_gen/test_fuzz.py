"""Thousands of broken files: no crash, no hang, bounded memory, and what is accepted can be read later."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FILES, SEED = 2400, 20261121
SECONDS, MEGABYTES = 400, 3000  # far above what it takes: a hang or a bomb is what is looked for

# Run in a process of its own: a crash of a decoder would take the tests with it.
INGEST = """
import json, resource, sys
from pathlib import Path
import tensorflow as tf
from tests.components.image_example_gen.ingestion import ingest
from components.image_example_gen.config import DataConfig
from trainer.config import PreprocessingConfig
from trainer.preprocessing import decode_levels

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = ingest(sys.argv[1], Path(sys.argv[2]), DataConfig(max_rejects=1.0, max_megapixels=4, keep_duplicates=True))
examples = result.examples()
config = PreprocessingConfig(8, 8, 3)
for example in examples.values():
    assert decode_levels(tf.constant(example["image/encoded"]), config).shape == (8, 8, 3)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"accepted": sorted(examples), "rejects": result.rejects, "megabytes": (after - before) / 1024}))
"""


def originals(rng: np.random.Generator) -> list[tuple[str, bytes]]:
    """A small picture in every format and variant."""
    grey, colour, alpha = (Image.fromarray(rng.integers(0, 256, (24, 17, *channels), np.uint8)) for channels in ((), (3,), (4,)))
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds = [
        (grey, "png", "PNG", {}),
        (grey.convert("1"), "png", "PNG", {}),
        (Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), "png", "PNG", {}),
        (colour.quantize(16), "png", "PNG", {"bits": 4, "transparency": 2}),
        (alpha, "png", "PNG", {}),
        (colour, "jpg", "JPEG", {}),
        (colour, "jpg", "JPEG", {"progressive": True, "exif": exif}),
        (colour.convert("CMYK"), "jpg", "JPEG", {}),
        (grey, "gif", "GIF", {}),
        (grey, "gif", "GIF", {"save_all": True, "append_images": [colour]}),
        (colour, "webp", "WEBP", {}),
        (alpha, "webp", "WEBP", {"lossless": True}),
        (colour, "bmp", "BMP", {}),
        (colour.quantize(9), "bmp", "BMP", {}),
        (colour, "tif", "TIFF", {}),
        (alpha, "tif", "TIFF", {"compression": "tiff_lzw"}),
        (colour, "tif", "TIFF", {"compression": "jpeg"}),
        (grey.convert("1"), "tif", "TIFF", {"compression": "group4"}),
    ]
    found = []
    for image, suffix, kind, options in kinds:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        found.append((suffix, buffer.getvalue()))
    return found


def mutated(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """A file with one to three kinds of damage."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data)) if data else 0
        # Headers are where sizes and offsets are.
        near = rng.randrange(min(len(data), 64)) if data else 0
        how = rng.randrange(8)
        if how == 0:
            del data[at:]
        elif how == 1 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif how == 2 and data:
            data[near] = rng.randrange(256)
        elif how == 3:
            data[near : near + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\x75\x30"])
        elif how == 4:
            del data[at : at + rng.randint(1, 200)]
        elif how == 5:
            data[at:at] = rng.randbytes(rng.randint(1, 200))
        elif how == 6:
            data[at:] = other[at:]
        else:
            data[at : at + 16] = data[near : near + 16] * 2
    return bytes(data)


@pytest.mark.slow
def test_no_crash_no_hang_bounded_memory_and_accepted_is_readable(tmp_path):
    rng = random.Random(SEED)
    found = originals(np.random.default_rng(SEED))
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(FILES):
        suffix, data = found[number % len(found)]
        (folder / f"{number:04d}.{suffix}").write_bytes(mutated(data, rng.choice(found)[1], rng))
    for number in range(60):  # and sound ones, so that there is something to train on
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)).save(folder / f"sound-{number}.png")
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", INGEST, str(folder), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    names = {path.name for path in folder.iterdir()}
    assert set(answer["accepted"]) | set(answer["rejects"]) == names and len(names) == FILES + 60
    assert not set(answer["accepted"]) & set(answer["rejects"])
    assert sum(name.startswith("sound-") for name in answer["accepted"]) == 60
    assert 0.3 * FILES < len(answer["rejects"]) < FILES  # damage of the pixels alone goes unseen in some formats
    assert answer["megabytes"] < MEGABYTES
    assert len(set(answer["rejects"].values())) < 40  # reasons can be counted: they have no particulars in them
