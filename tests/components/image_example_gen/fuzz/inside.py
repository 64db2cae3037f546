"""What lies in archives: samples of WebDataset, and files of arrays, tables and records."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from tests.components.image_example_gen.fuzz import archives, arrays, tables, tfrecord
from tests.components.image_example_gen.fuzz.damage import Field, Original, Pieces, plain
from tests.components.image_example_gen.readers.arrays.files import idx_bytes

_KEYS = ("a", "a.b", "", ".", "..", "/", "a/../b", "\xff", "x" * 120, "train/1", "7", "seg.1", "__key__", "a\n")
_ENDS = ("png", "jpg", "cls", "json", "txt", "cls.txt", "seg.png", "PNG", "", "npy", "json.gz", "index", "label")


def names(pieces: Pieces, rng: random.Random) -> None:
    """Give a member another name: its key, or how it ends."""
    headers = [piece for piece in pieces if piece.name == "header" and len(piece.data) == 512]
    if headers:
        piece = rng.choice(headers)
        key, _, end = bytes(piece.data[:100]).rstrip(b"\0").partition(b".")
        key = rng.choice(_KEYS).encode() if rng.random() < 0.6 else key
        end = rng.choice(_ENDS).encode() if rng.random() < 0.6 else end
        piece.data[:100] = (key + b"." + end)[:100].ljust(100, b"\0")


def webdataset() -> list[Original]:
    """Labels as numbers, as text and in JSON; what is damaged are the headers, or a label in a sound archive."""
    pictures = list(archives.pictures().values())
    labels = {
        "cls": [b"0", b"1", b"2\n"],
        "json": [b'{"label": 1, "caption": "a"}', b'{"label": "cat"}', b'{"label": [1], "x": {}}'],
        "txt": [b"a", b"b", b"c"],
    }
    found = []
    for kind, texts in labels.items():
        samples = {
            f"{number}.{end}": data for number, pair in enumerate(zip(pictures, texts)) for end, data in zip(("png", kind), pair)
        }
        pieces = archives.tar_pieces(archives.tarred(samples))
        damages = (names, archives.kind_of_member)
        found.append(Original("{:06d}.tar", pieces, archives.mend_tar, damages=damages))
        pack = lambda data, kind=kind, samples=samples: archives.tarred({**samples, f"1.{kind}": data})
        words = [Field(one.start(), "text", len(one[0])) for one in re.finditer(rb'[^{}":, ]+|[{}":,]', texts[1])]
        found.append(plain("{:06d}.tar", texts[1], words, pack=pack))
    return found


def nested() -> list[Original]:
    """Damaged arrays, tables and records in sound archives, and damaged archives of sound ones."""
    sound = {"x.npy": arrays.saved(arrays.PIXELS), "y.npy": arrays.saved(arrays.LABELS)}
    idx = {"a-images-idx3-ubyte": idx_bytes(arrays.PIXELS), "a-labels-idx1-ubyte": idx_bytes(arrays.LABELS)}
    found = []
    for pack in (archives.zipped, archives.tarred):
        suffix = "zip" if pack is archives.zipped else "tar"
        name, pieces_of = f"{{:06d}}.{suffix}", getattr(archives, f"{suffix}_pieces")
        mend = getattr(archives, f"mend_{suffix}")
        found += [Original(name, pieces_of(pack(members)), mend) for members in (sound, idx)]
        for inner in (
            arrays.npy()[0],
            arrays.idx()[0],
            arrays.npz()[0],
            arrays.mat()[0],
            tfrecord.originals()[0],
            tables.parquet()[0],
        ):
            found.append(_around(name, inner, pack))
    return found


def _around(name: str, inner: Original, pack: Callable[[dict[str, bytes]], bytes]) -> Original:
    """A sound archive around a damaged file and what belongs to it."""
    beside = {each.format(0): data for each, data in inner.beside}
    whole = lambda data: pack({inner.name.format(0): inner.pack(data), **beside})
    return Original(name, inner.pieces, inner.mend, whole, inner.damages, options=inner.options)
