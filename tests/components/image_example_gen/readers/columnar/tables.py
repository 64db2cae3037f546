"""What the tests of Parquet and Arrow files share: tables of pictures as Hugging Face writes them, and damage."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import ModuleType

import pyarrow as pa

from components.image_example_gen.config import DataConfig
from components.image_example_gen.items import Encoded, Rejected
from components.image_example_gen.storage.files import FoundFile

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
CLASSES = ["airplane", "bird", "cat"]


def features(**kinds: object) -> dict[bytes, bytes]:
    """The schema's metadata as the package datasets writes it: a list stands for the names of a ClassLabel."""
    said = {
        name: {"names": kind, "_type": "ClassLabel"} if isinstance(kind, list) else {"_type": kind} for name, kind in kinds.items()
    }
    return {b"huggingface": json.dumps({"info": {"features": said}, "fingerprint": "0123456789abcdef"}).encode()}


def pictures(count: int, size: int = 40) -> pa.Array:
    """A column of structures, each with other bytes."""
    rng = random.Random(count)
    return pa.array([{"bytes": rng.randbytes(rng.randint(1, size)), "path": f"{i}.png"} for i in range(count)], IMAGE)


def table(count: int = 60, **columns: object) -> pa.Table:
    """Pictures with labels in whole numbers that have names, among other columns."""
    made = {
        "caption": [f"number {i}" for i in range(count)],
        "image": pictures(count),
        "label": pa.array([i % 3 for i in range(count)], pa.int64()),
        "boxes": [[[0.5, 1.5]] * (i % 3) for i in range(count)],
    }
    return pa.table(made | columns).replace_schema_metadata(features(caption="Value", image="Image", label=CLASSES))


def expected(data: pa.Table, path: str, label: str = "label", names: list[str] = CLASSES) -> list[tuple[str, str, bytes]]:
    """Path, label and bytes of each row."""
    rows = data.select(["image", label]).to_pylist()
    return [(f"{path}#{i}", names[row[label]], row["image"]["bytes"]) for i, row in enumerate(rows)]


def find(reader: ModuleType, path: Path, config: DataConfig = DataConfig()):
    """What a reader finds in a file."""
    return reader.find(str(path.parent), FoundFile(path.name, path.stat().st_size, 0), config)


def read(reader: ModuleType, path: Path, config: DataConfig = DataConfig(), size: int = 1000) -> list[Encoded | Rejected]:
    """All that a reader reads of a file, in units of about `size`."""
    found = find(reader, path, config)
    assert not isinstance(found, Rejected), found
    units = found.units(size)
    assert (
        units[0][0] == 0 and units[-1][1] == found.count and [stop for _, stop in units[:-1]] == [start for start, _ in units[1:]]
    )
    return [item for start, stop in units for item in found.read(str(path.parent), start, stop, config)]


def said(items: list[Encoded | Rejected]) -> list[tuple]:
    """What items say, in short."""
    return [(i.path, i.label, i.data) if isinstance(i, Encoded) else (i.path, i.reason) for i in items]


def check_damaged(reader: ModuleType, path: Path, count: int) -> int:
    """Read a file that may be damaged in any way: nothing may be raised, and every picture is accounted for.

    Returns:
        How many pictures were read.
    """
    found = find(reader, path)
    if isinstance(found, Rejected):
        assert 0 < len(found.reason) < 120 and "\n" not in found.reason
        return 0
    units = found.units(25)
    assert len(units) < 10_000
    items = [item for start, stop in units for item in found.read(str(path.parent), start, stop, DataConfig())]
    assert sum(getattr(item, "pictures", 1) for item in items) >= found.count
    return sum(isinstance(item, Encoded) for item in items)
