"""Archives of pictures: tar and zip, read as streams; nothing of them is ever unpacked to disk."""

from __future__ import annotations

import contextlib
import functools
import lzma
import posixpath
import re
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from components.image_example_gen.config import DataConfig
from components.image_example_gen.found import Encoded, Rejected
from components.image_example_gen.names import is_picture
from components.image_example_gen.splits import Labels, split_in_name, split_of_folder
from components.image_example_gen.storage.files import FoundFile, join, open_file, open_seekable

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
# What an archive may unpack to, in bytes: pictures are packed already, and hardly shrink.
MOST_EXPANSION, ALWAYS_ALLOWED = 100, 256 << 20

LEADS_OUT = "its name leads out of the archive"
ENDLESS = f"the archive unpacks to more than {MOST_EXPANSION} times its size: from here on it is not read"
DAMAGED = "the archive is damaged or cut short here: what follows in it is lost"
_BROKEN = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, ValueError, NotImplementedError)


@dataclass(frozen=True)
class _Member:
    """A file in an archive: its name and size, and how it is opened; or why it is not."""

    name: str
    size: int = 0
    open: Callable[[], BinaryIO] | None = None
    refused: str = ""


@dataclass(frozen=True)
class ArchivePictures:
    """The pictures of one archive.

    Attributes:
        path: Of the file, relative to the folder.
        size: Of the file, in bytes; -1 where it is not known.
        split: The split that its name or its folder says, or None.
        count: How many members are called like pictures.
        top: The one folder that all of them lie in, with a slash behind it, which says nothing of them; or ''.
        own_splits: The splits that the folders inside name, if all pictures lie in such folders; else none.
        told: The splits that `label_pattern` says of its pictures, None among them where it says nothing; empty where it
            has no group for splits.
        above: The labels that the folders which the archive lies in say.
        others: Members that are not called like pictures, by suffix.
        damaged: Whether its list of members breaks off.
    """

    path: str
    size: int
    split: str | None
    count: int = 0
    top: str = ""
    own_splits: frozenset[str] = frozenset()
    told: frozenset[str | None] = frozenset()
    above: str = ""
    others: Counter[str] = field(default_factory=Counter, compare=False)
    damaged: bool = False

    def units(self, size: int) -> list[tuple[int, int]]:
        """One: an archive is read from its beginning."""
        return [(0, self.count)]

    def read(self, folder: str, start: int, stop: int, config: DataConfig) -> Iterator[Encoded | Rejected]:
        """Yields the pictures in their order, and what is refused: members and, where it breaks off, the archive."""
        labels = Labels(bool(self.own_splits), config.label_pattern)
        most = config.max_file_megabytes * 1e6
        members = _members(join(folder, self.path), self.size)
        try:
            for member in members:
                path = f"{self.path}/{member.name}"
                if member.refused:
                    if is_picture(member.name) or not member.name or member.refused == LEADS_OUT:
                        yield Rejected(path if member.name else self.path, member.refused)
                elif not is_picture(member.name):
                    if member.name.lower().endswith(ARCHIVE_SUFFIXES):
                        yield Rejected(path, "an archive within an archive, which is not read: unpack it")
                elif member.size > most:
                    yield Rejected(path, f"larger than {config.max_file_megabytes:g} megabytes: not read")
                else:
                    label, split = labels.of(member.name.removeprefix(self.top))
                    label = label if config.label_pattern else "/".join(filter(None, (self.above, label)))
                    data = _data(member)
                    if data is None:
                        yield Rejected(path, "damaged within its archive")
                    else:
                        yield Encoded(path, label, split or self.split, data)
        except UnicodeDecodeError:  # Python then reads no name at all
            yield Rejected(self.path, "a zip archive with a name that claims to be UTF-8 and is not: pack it anew")
        except _BROKEN:
            yield Rejected(self.path, DAMAGED)


@functools.lru_cache
def inspect(folder: str, file: FoundFile, by_pattern: Labels | None = None) -> ArchivePictures:
    """Goes through an archive's list of members; of a packed tar all is unpacked for that, and forgotten.

    Args:
        folder: That the file's path is relative to.
        file: The archive. The folders that it lies in are left to the caller.
        by_pattern: How its pictures' names tell their splits, where a pattern does.
    """
    name = posixpath.basename(file.path)
    split = split_in_name(name[: len(name) - len(_suffix(name))])
    count, tops, others, broken = 0, set(), Counter(), False
    first, second, outside = Counter(), Counter(), False
    told = set()
    try:
        for member in _members(join(folder, file.path), file.size):
            if member.refused:
                continue
            if not is_picture(member.name):
                others[posixpath.splitext(member.name)[1].lower() or "without a suffix"] += 1
                continue
            count += 1
            if by_pattern:
                told.add(by_pattern.of(member.name)[1])
            head, slash, rest = member.name.partition("/")
            if len(tops) < 2:
                tops.add(head if slash else "")
            outside = outside or not slash
            for counter, path in ((first, member.name), (second, rest)):
                counter[split_of_folder(path)] += 1
    except _BROKEN:
        broken = True
    wrapped = len(tops) == 1 and "" not in tops and not set(first) - {None}
    top = f"{next(iter(tops))}/" if wrapped else ""
    splits = second if wrapped else first
    own = frozenset() if not count or None in splits else frozenset(splits)
    return ArchivePictures(file.path, file.size, split, count, top, own, frozenset(told), others=others, damaged=broken)


def _suffix(name: str) -> str:
    return next((suffix for suffix in sorted(ARCHIVE_SUFFIXES, key=len, reverse=True) if name.lower().endswith(suffix)), "")


def _data(member: _Member) -> bytes | None:
    """A member's bytes, None where they are damaged or more than its header says."""
    try:
        with member.open() as stream:
            data = stream.read(member.size + 1)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError, NotImplementedError):
        return None
    return data if len(data) == member.size else None


def _members(path: str, size: int) -> Iterator[_Member]:
    """The regular files of an archive; what is hidden, or no file, is passed over."""
    allowed = max(MOST_EXPANSION * size, ALWAYS_ALLOWED) if size >= 0 else float("inf")
    total = 0
    with contextlib.closing(_zip_members(path) if path.lower().endswith(".zip") else _tar_members(path)) as members:
        for member in members:
            total += member.size
            if total > allowed:
                yield _Member("", refused=ENDLESS)
                return
            name = re.sub(r"(^|/)(\./)+", r"\1", member.name.replace("\\", "/"))
            parts = name.split("/")
            if member.refused:
                yield _Member(name, refused=member.refused)
            elif ".." in parts or name.startswith("/") or name[1:2] == ":":
                yield _Member(name, refused=LEADS_OUT)
            elif not any(part.startswith(".") or part == "__MACOSX" for part in parts):
                yield _Member(name, member.size, member.open)


def _zip_members(path: str) -> Iterator[_Member]:
    with open_seekable(path) as stream, zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            refused = "encrypted within its archive" if info.flag_bits & 1 else ""
            yield _Member(info.filename, info.file_size, functools.partial(archive.open, info), refused)


class _Header(tarfile.TarInfo):
    """A member's header. Python takes what is no header for the end of the archive, and would lose what follows unsaid."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


def _tar_members(path: str) -> Iterator[_Member]:
    with open_file(path) as stream, tarfile.open(fileobj=stream, mode="r|*", tarinfo=_Header) as archive:
        for info in archive:
            archive.members = []  # it would keep them all
            if info.isfile() and not info.issparse():
                yield _Member(info.name, info.size, functools.partial(archive.extractfile, info))
            elif info.issym() or info.islnk():
                yield _Member(info.name, refused="a link within its archive, which is not followed")
            elif info.issparse():
                yield _Member(info.name, refused="a sparse file within its archive, which is not read")
