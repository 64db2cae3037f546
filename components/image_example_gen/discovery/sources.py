"""The result of `find_sources`."""

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
    """The pictures to read. There is no list of the picture files, which may be millions; see `find_sources`."""

    folder: str  # the folder that all paths are relative to
    files: int = 0  # number of picture files
    containers: tuple[Container, ...] = ()  # the container files, sorted by path
    labels: Labels = Labels()  # the rule for the label and split of a picture file's path
    tables: tuple[Table, ...] = ()  # the tables of labels
    # the splits named by folders, files and manifests, with None if some pictures have no named split
    own_splits: frozenset[str | None] = frozenset()
    splits_from: tuple[str, ...] = ()  # the origins of these splits, in words: folders, file names ...
    # number of picture files in each of these splits, None for no split
    file_splits: Counter[str | None] = field(default_factory=Counter)
    sample: tuple[str, ...] = ()  # some evenly spread picture files: the paths with the lowest hashes, sorted
    left_out: tuple[Rejected, ...] = ()  # the files that cannot be read, sorted by path
    others: Counter[str] = field(default_factory=Counter)  # files without picture names, by suffix
    notes: tuple[str, ...] = ()  # notes for the user, one line each
    span: int = 0  # the number of the latest span; 0 if there are no spans
    first_span: int = 0  # the number of the earliest of the read spans
    span_depth: int = 0  # number of leading folders of a path that belong to its span; 0 if there are no spans
    fingerprint: str = ""  # a hash that changes when a file is added, removed, renamed or edited
    bytes: int = 0  # the size of all files, as far as it is known without a request per file

    @property
    def count(self) -> int:
        """The number of pictures, readable or not."""
        return self.files + sum(container.count for container in self.containers)

    def above(self, container: Container) -> str:
        """Return the label from a container's folders; '' if all containers have the same one."""
        labels = {self.labels.of(each.path)[0] for each in self.containers}
        return self.labels.of(container.path)[0] if len(labels) > 1 else ""


def described(kinds: Counter[str]) -> str:
    """List the five most common suffixes with their counts, in words."""
    return ", ".join(f"{count:,} {printable(kind)[:20]}" for kind, count in kinds.most_common(5))
