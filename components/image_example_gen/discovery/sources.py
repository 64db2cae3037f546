"""What there is to read, as `find_sources` gives it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from components.image_example_gen.discovery.tables import Table
from components.image_example_gen.items import Rejected
from components.image_example_gen.layout import Labels
from components.image_example_gen.readers.container import Container
from components.image_example_gen.storage.files import printable


@dataclass(frozen=True)
class Sources:
    """What there is to read. It holds no list of the picture files, which may be millions; see `find_sources`.

    Attributes:
        folder: The folder that all paths are relative to.
        files: How many picture files there are.
        containers: The files of many pictures, sorted by path.
        labels: How a picture file's path tells its label and split.
        tables: The tables that labels come from.
        own_splits: The splits that folders, files and manifests say; None among them where some say nothing.
        splits_from: Where these come from, in words: folders, file names ...
        file_splits: Picture files of each split that they say, None for none.
        sample: Some picture files, spread evenly: the paths of lowest hash, sorted.
        left_out: What was found and cannot be read, sorted by path.
        others: Files that are not called like pictures, by suffix.
        notes: What a person should know of all this, a line each.
        span: The number of the latest span; 0 where there are none.
        first_span: The number of the earliest of them.
        span_depth: How many folders at the beginning of a path are its span's; 0 where there are none.
        fingerprint: A hash that changes when a file is added, removed, renamed or edited.
        bytes: The size of all files, as far as it is known without asking a server for each.
    """

    folder: str
    files: int = 0
    containers: tuple[Container, ...] = ()
    labels: Labels = Labels()
    tables: tuple[Table, ...] = ()
    own_splits: frozenset[str | None] = frozenset()
    splits_from: tuple[str, ...] = ()
    file_splits: Counter[str | None] = field(default_factory=Counter)
    sample: tuple[str, ...] = ()
    left_out: tuple[Rejected, ...] = ()
    others: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()
    span: int = 0
    first_span: int = 0
    span_depth: int = 0
    fingerprint: str = ""
    bytes: int = 0

    @property
    def count(self) -> int:
        """The number of pictures, readable or not."""
        return self.files + sum(container.count for container in self.containers)

    def above(self, container: Container) -> str:
        """The label that a container's folders say; '' where all say the same, which tells nothing apart."""
        labels = {self.labels.of(each.path)[0] for each in self.containers}
        return self.labels.of(container.path)[0] if len(labels) > 1 else ""


def described(kinds: Counter[str]) -> str:
    """Files counted by suffix, the commonest five, in words."""
    return ", ".join(f"{count:,} {printable(kind)[:20]}" for kind, count in kinds.most_common(5))
