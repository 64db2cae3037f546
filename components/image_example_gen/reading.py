"""Reads the pictures of a shard, one at a time: no more than one is ever held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.image_example_gen.files import join, open_file, printable
from components.image_example_gen.idx import read_entries
from components.image_example_gen.pictures import Picture, Refused, decode, encode_png
from components.image_example_gen.shards import FileShard, IdxShard
from components.image_example_gen.sources import Sources
from components.image_example_gen.splits import label_of_path, split_of_folder
from trainer.errors import InputError


@dataclass(frozen=True)
class Rejected:
    """A picture that was refused.

    Attributes:
        path: Relative to the folder.
        reason: Why, in a person's words.
    """

    path: str
    reason: str


def read_shard(shard: FileShard | IdxShard, label_names: Sequence[str]) -> Iterator[Picture | Rejected]:
    """Yields the pictures of a shard in its order, and those that cannot be used with the reason.

    Args:
        shard: Where they are.
        label_names: Names of the labels 0, 1, 2 ... of IDX files; empty: the numbers themselves.

    Raises:
        InputError: An IDX file cannot be read to its end.
    """
    return _read_files(shard) if isinstance(shard, FileShard) else _read_idx(shard, label_names)


def check_label_names(sources: Sources, label_names: Sequence[str]) -> None:
    """Checks that each label of the IDX files has a name, where names are given.

    Raises:
        InputError: One has none.
    """
    if not label_names:
        return
    for idx in sources.idx:
        if idx.labels is None:
            continue
        path = join(sources.folder, idx.labels)
        largest = max(int(label) for label in read_entries(path, idx.shape[:1], 0, idx.shape[0]))
        if largest >= len(label_names):
            raise InputError(
                f"{printable(path)} holds the label {largest}, but data.label_names names only {len(label_names)} "
                f"(0 to {len(label_names) - 1}): name them all, or none"
            )


def _read_files(shard: FileShard) -> Iterator[Picture | Rejected]:
    for path in shard.paths:
        try:
            data = _read_bytes(join(shard.folder, path))
            kind, pixels = decode(data)
        except Refused as refused:
            yield Rejected(printable(path), refused.reason)
            continue
        label = printable(label_of_path(path, shard.split_folders))
        yield Picture(path, label, split_of_folder(path) if shard.split_folders else None, data, kind, pixels)


def _read_bytes(path: str) -> bytes:
    try:
        with open_file(path) as stream:
            return stream.read()
    except FileNotFoundError as error:
        raise Refused("the file is gone, or a link that leads nowhere") from error
    except PermissionError as error:
        raise Refused("no permission to read the file") from error
    except OSError as error:
        raise Refused(f"the file cannot be read: {error.strerror or type(error).__name__}") from error


def _read_idx(shard: IdxShard, label_names: Sequence[str]) -> Iterator[Picture | Rejected]:
    idx = shard.idx
    images = read_entries(join(shard.folder, idx.images), idx.shape, shard.start, shard.stop)
    labels = _idx_labels(shard, label_names)
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True), shard.start):
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        yield Picture(f"{idx.images}#{number}", label, idx.split, encode_png(pixels), "png", pixels)


def _idx_labels(shard: IdxShard, label_names: Sequence[str]) -> Iterator[str]:
    if shard.idx.labels is None:
        yield from [""] * (shard.stop - shard.start)
        return
    path = join(shard.folder, shard.idx.labels)
    for label in read_entries(path, shard.idx.shape[:1], shard.start, shard.stop):
        yield label_names[int(label)] if label_names else str(label)
