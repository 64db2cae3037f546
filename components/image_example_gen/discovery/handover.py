"""Hand the list of image files from the driver to an executor in the same process, so that one pass serves both.

The executor takes the list only if its fingerprint is the one that the driver has passed on. Files that are added, renamed or
edited after the driver's pass belong to the next run. An executor in another process lists the files itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.find import find_sources
from components.image_example_gen.discovery.listing import Listing
from components.image_example_gen.discovery.sources import Sources


@dataclass(frozen=True)
class _Pass:
    """One pass over the files, with its arguments and results."""

    images: str
    config: DataConfig
    listing: Listing
    sources: Sources


_kept: list[_Pass] = []  # the driver's last pass, until an executor takes it


def list_for_executor(images: str, config: DataConfig) -> Sources:
    """List the files as `find_sources` does, also in its errors, and keep the list for an executor in this process."""
    while _kept:
        _kept.pop().listing.close()
    _kept.append(_listed_anew(images, config))
    return _kept[-1].sources


@contextlib.contextmanager
def listed(images: str, config: DataConfig, fingerprint: str | None) -> Iterator[tuple[Sources, Listing]]:
    """Yield the sources and the list of files that `list_for_executor` has kept, if they match; else list the files anew.

    They match by the fingerprint that the driver has passed on; None is none. For the errors see `find_sources`.
    """
    kept = _kept.pop() if _kept else None
    if kept and (kept.images, kept.config, kept.sources.fingerprint) != (images, config, fingerprint):
        kept.listing.close()
        kept = None
    result = kept or _listed_anew(images, config)
    with result.listing:
        yield result.sources, result.listing


def _listed_anew(images: str, config: DataConfig) -> _Pass:
    listing = Listing()
    try:
        return _Pass(images, config, listing, find_sources(images, config, listing.add))
    except BaseException:
        listing.close()
        raise
