"""Files of rows: CIFAR's and STL-10's binary files, CSVs of pixels, manifests, and tables of labels beside pictures."""

from __future__ import annotations

import json
import random
import re

import numpy as np

from tests.components.image_example_gen.fuzz import archives, arrays
from tests.components.image_example_gen.fuzz.damage import Field, Original, Piece, Pieces, fields, plain


def cifar() -> list[Original]:
    """Records of CIFAR-10, CIFAR-100 and STL-10, and STL-10's labels in a file of their own."""
    rng = np.random.default_rng(11)
    ten = [bytes([number % 10]) + rng.bytes(3072) for number in range(6)]
    hundred = [bytes([number % 20, number % 100]) + rng.bytes(3072) for number in range(5)]
    stl = [rng.bytes(27648) for _ in range(2)]
    record = lambda data, labels: Piece(bytearray(data), fields(0, "<" + "B" * labels))
    names = "\n".join(f"name {number}" for number in range(10)).encode()
    labels = [Field(0, "<B"), Field(1, "<B")]
    return [
        Original("data_batch_{:06d}.bin", [record(data, 1) for data in ten]),
        Original("{:06d}/train.bin", [record(data, 2) for data in hundred]),
        Original("{:06d}/train_X.bin", [record(data, 0) for data in stl], beside=[("{:06d}/train_y.bin", b"\1\2")]),
        plain("{:06d}/train_y.bin", b"\1\2", labels, beside=[("{:06d}/train_X.bin", b"".join(stl))]),
        plain("{:06d}/batches.meta.txt", names, _words(names), beside=[("{:06d}/data_batch_1.bin", b"".join(ten))]),
    ]


def _words(line: bytes) -> list[Field]:
    return [Field(one.start(), "text", len(one[0])) for one in re.finditer(rb'[^,;\t\n"{}: ]+|[,;\t"{}:]', line)][:60]


def lines_of(data: bytes) -> Pieces:
    """The lines of a text, with a field for each word in one."""
    return [Piece(bytearray(line), _words(line)) for line in data.splitlines(keepends=True)]


def columns(pieces: Pieces, rng: random.Random) -> None:
    """Change a column: leave it out, double it, or swap it with another, in one line or in all of them."""
    for piece in [rng.choice(pieces)] if rng.random() < 0.5 else pieces:
        cells = bytes(piece.data).rstrip(b"\n").split(b",")
        at, to, how = rng.randrange(4) % len(cells), rng.randrange(len(cells)), rng.randrange(3)
        if how == 0:
            del cells[at]
        elif how == 1:
            cells.insert(to, cells[at])
        else:
            cells[at], cells[to] = cells[to], cells[at]
        piece.data[:], piece.fields = b",".join(cells) + b"\n", []


def ends(pieces: Pieces, rng: random.Random) -> None:
    """Write another separator, other ends of lines, quotes that are never closed, or another encoding."""
    old, new = rng.choice(
        ((b",", b";"), (b",", b"\t"), (b"\n", b"\r"), (b"\n", b"\r\n"), (b"\n", b""), (b",", b',"'), (b",", b" "), (b"1", b"\0"))
    )
    for piece in pieces:
        piece.data[:], piece.fields = bytes(piece.data).replace(old, new), []
    if rng.random() < 0.3:
        encoding = rng.choice(("utf-16", "utf-32", "utf-8-sig"))
        for number, piece in enumerate(pieces):
            piece.data[:] = bytes(piece.data).decode("latin-1").encode(encoding if number == 0 else encoding.removesuffix("-sig"))


def pixels() -> list[Original]:
    """Kaggle's layout with a header, one without, fractions, and a column of all pixels."""
    rng = np.random.default_rng(12)
    grey = rng.integers(0, 256, (6, 16))
    row = lambda values: ",".join(map(str, values))
    head = row(["label", *(f"pixel{number}" for number in range(16))])
    texts = [
        "\n".join([head, *(row([number % 3, *levels]) for number, levels in enumerate(grey))]),
        "\n".join([head, *(row([number % 3, *np.round(levels / 255, 4)]) for number, levels in enumerate(grey))]),
        "\n".join(
            [
                "emotion,pixels,Usage",
                *(f"{number % 3},{' '.join(map(str, rng.integers(0, 256, 2304)))},Training" for number in range(3)),
            ]
        ),
    ]
    options = [(), (("range", (0.0, 1.0)),), ()]
    found = []
    for text, each in zip(texts, options, strict=True):
        found.append(Original("{:06d}.csv", lines_of(text.encode() + b"\n"), damages=(columns, ends), options=each))
    return [*found, Original("{:06d}.csv.gz", found[0].pieces, pack=arrays.compress, damages=(columns, ends))]


def _tables() -> list[tuple[str, bytes]]:
    rows = [(f"{number}.png", f"label {number % 2}", "train" if number else "test") for number in range(4)]
    table = "file_name,label,split\n" + "".join(f'{name},"{label}",{split}\n' for name, label, split in rows)
    lines = "".join(json.dumps({"file_name": name, "label": label, "split": split}) + "\n" for name, label, split in rows)
    return [("csv", table.encode()), ("jsonl", lines.encode())]


def manifest() -> list[Original]:
    """Tables that are themselves what is read, of both kinds."""
    beside = [(f"m{{:06d}}/{name}", data) for name, data in archives.pictures(4).items()]
    return [
        Original(f"m{{:06d}}/list.{suffix}", lines_of(data), damages=(columns, ends) if suffix == "csv" else (ends,), beside=beside)
        for suffix, data in _tables()
    ]


def metadata() -> list[Original]:
    """Tables of labels that lie beside their pictures."""
    beside = [(f"{{:06d}}/{name}", data) for name, data in archives.pictures(4).items()]
    return [
        Original(
            f"{{:06d}}/metadata.{suffix}", lines_of(data), damages=(columns, ends) if suffix == "csv" else (ends,), beside=beside
        )
        for suffix, data in _tables()
    ]
