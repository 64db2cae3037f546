"""Notes for the user on how pictures were read, as lines for the console and for summary.json."""

from __future__ import annotations

from collections.abc import Iterator

from components.image_example_gen import reasons
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.sources import Sources, described
from components.image_example_gen.names import is_picture
from components.image_example_gen.splits import SPLITS
from components.image_example_gen.storage.files import printable
from components.image_example_gen.writing.tally import Tally

_SHOWN_LABELS, _SHOWN_FILES = 8, 5
_NOTES = {  # by the names in `Decoded.notes`
    "pages": "{} more pages than the first, which are not read: data.pages=all reads them",
    "frames": "{} more frames than the first, which are not read: data.frames=all reads them",
    "deep": "{} more than 8 bits a level, of which 8 are used: data.depth=16 keeps 16",
    "dim": "{} only the levels 0 and 1, which look black: data.levels=1 makes 1 white",
    "profile": "{} a color profile other than sRGB and were converted: data.icc=ignore leaves them as they are",
}


def notes_of(total: Tally, sources: Sources, config: DataConfig) -> list[str]:
    """Describe the interpretation of the pictures, and skipped content, in lines; the first is about splits and labels."""
    return [f"{_splits(total, sources, config)}; {_labels(total)}", *sources.notes, *_read(total, sources, config)]


def _splits(total: Tally, sources: Sources, config: DataConfig) -> str:
    own = [split for split in SPLITS if config.heeds_splits and split in sources.own_splits and total.pictures(split)]
    shares = [split for split in SPLITS if split not in own and total.pictures(split)]
    parts = [f"{', '.join(own)} from {' and '.join(sources.splits_from) or 'file names'}"] if own else []
    parts += [f"{', '.join(shares)} by content"] if shares else []
    return f"splits: {', '.join(parts)}"


def _labels(total: Tally) -> str:
    labels = sorted({label for split in SPLITS for label, count in total.labels[split].items() if label and count})
    if not labels:
        return "no labels"
    shown = ", ".join(label if len(label) <= 24 else f"{label[:23]}…" for label in labels[:_SHOWN_LABELS])
    count = f"{len(labels):,} label{'s' if labels[1:] else ''}"
    return f"{count}: {shown}{' ...' if labels[_SHOWN_LABELS:] else ''}"


def _read(total: Tally, sources: Sources, config: DataConfig) -> Iterator[str]:
    for name, parts in _NOTES.items():
        count = total.notes[name]
        if count:
            yield parts.format(f"{count:,} picture{'s have' if count > 1 else ' has'}")
    if config.label_file and total.found < total.accepted + total.rejected:
        yield f"the label file names {total.found:,} of {total.accepted + total.rejected:,} pictures; the others have no label"
    # Report rejected container files at once; single pictures are in the list of rejects.
    whole = [left for left in sources.left_out if left.reason != reasons.LINK_OUT]
    for left in whole[:_SHOWN_FILES]:
        yield f"refused {printable(left.path)}: {left.reason}"
    if whole[_SHOWN_FILES:]:
        yield f"refused {len(whole) - _SHOWN_FILES:,} more files, see the list"
    links = [left.path for left in sources.left_out if left.reason == reasons.LINK_OUT]
    links.sort(key=is_picture)  # folders, then files
    if links:
        more = f" and {len(links) - 3:,} more" if links[3:] else ""
        verb = "links that lead" if links[1:] else "a link that leads"
        names = ", ".join(printable(path)[-30:] for path in links[:3])
        yield f"not read: {names}{more}, {verb} out of the folder: data.follow_links=true follows them"
    if sources.others:
        yield f"ignored, because their names are not those of pictures: {described(sources.others)}"
