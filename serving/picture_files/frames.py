"""Read every page of a TIFF or every frame of an animation, one picture at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from serving.picture_files.base import UNREADABLE, PictureFile, PictureOptions, Refused, check_size, damaged
from serving.picture_files.formats import format_of
from serving.picture_files.pillow import opened, without_warnings
from serving.picture_files.remake import bits_in, from_pillow, from_samples, pillow_samples, rest_of, tiff_samples
from serving.picture_files.tiff import Tags, directories, is_deep, is_page

if TYPE_CHECKING:
    from PIL.Image import Image

_ANIMATED = ("gif", "webp", "png", "avif")


def all_pictures(data: bytes, options: PictureOptions, pages: bool, frames: bool) -> Iterator[PictureFile | Refused] | None:
    """Yield the pictures of a file with several, each as a PNG file, or as its refusal if it is damaged.

    Return None if the file holds only one picture, or cannot be read; `read_picture_file` raises the reason.

    Args:
        data: The bytes of a picture file.
        options: How the file is read.
        pages: Whether to read the pages of a TIFF.
        frames: Whether to read the frames of a GIF, WebP, PNG or AVIF file, each as a viewer shows it.
    """
    try:
        kind = format_of(data)
        if kind == "tiff":
            return _pages(data, options) if pages and rest_of(data, kind) else None
        if not frames or kind not in _ANIMATED:
            return None
        if kind == "gif":
            with opened(data, kind, options.max_megapixels) as image:
                several = image.is_animated
        else:
            several = bool(rest_of(data, kind))
        return _frames(data, kind, options) if several else None
    except UNREADABLE:
        return None


def _frames(data: bytes, kind: str, options: PictureOptions) -> Iterator[PictureFile | Refused]:
    """Yield the frames in order. A damaged frame is the last one, because later frames are drawn on top of it."""
    try:
        with opened(data, kind, options.max_megapixels) as image:
            # A PNG may hold a default picture for viewers without animation; it is not a frame.
            first = 1 if image.info.get("default_image") else 0
            for frame in itertools.count(first):
                try:
                    with without_warnings():
                        image.seek(frame)
                except EOFError:
                    if frame == first:  # the header declares frames, but there are none
                        yield damaged(kind)
                    return
                check_size(image.size, options.max_megapixels)
                yield _made(_plain(image), kind, bits_in(data, kind), options)
    except Refused as refused:
        yield refused
    except UNREADABLE:
        yield damaged(kind)


def _plain(image: Image) -> Image:
    """Return a frame as RGB, or as RGBA if any pixel is transparent, because only some frames of an animation may have palettes."""
    image.load()
    frame = image.convert("RGBA")
    if frame.getextrema()[3][0] == 255:
        frame = frame.convert("RGB")
    if "icc_profile" in image.info:
        frame.info["icc_profile"] = image.info["icc_profile"]
    return frame


def _pages(data: bytes, options: PictureOptions) -> Iterator[PictureFile | Refused]:
    """Yield the pages in order, without masks and reduced-size copies."""
    pages = directories(data)
    image = _opened_or_none(data, options)
    try:
        for place in itertools.count():
            try:
                tags = next(pages, None)
            except UNREADABLE:  # the offset of the next page is damaged
                yield damaged("tiff")
                return
            if tags is None:
                return
            if is_page(tags):
                try:
                    yield _page(image, place, tags, data, options)
                except Refused as refused:
                    yield refused
                except UNREADABLE:
                    yield damaged("tiff")
    finally:
        if image is not None:
            image.close()


def _opened_or_none(data: bytes, options: PictureOptions) -> Image | None:
    """Open the file with Pillow; return None if Pillow does not support its first page."""
    try:
        return opened(data, "tiff", options.max_megapixels)
    except Refused:
        return None


def _page(image: Image | None, place: int, tags: Tags, data: bytes, options: PictureOptions) -> PictureFile:
    if is_deep(tags):
        samples = tiff_samples(data, tags, options)
        if samples is not None:
            png, notes = from_samples(samples, options)
            return PictureFile(png, "png", "tiff", notes=tuple(sorted(notes)))
    if image is None:
        raise damaged("tiff")
    with without_warnings():
        image.seek(place)
    check_size(image.size, options.max_megapixels)
    return _made(image, "tiff", bits_in(data, "tiff", tags), options)


def _made(image: Image, kind: str, bits: int, options: PictureOptions) -> PictureFile:
    samples = pillow_samples(image, kind, bits) if options.levels is not None else None
    png, notes = from_samples(samples, options) if samples is not None else from_pillow(image, kind, bits, options)
    return PictureFile(png, "png", kind, notes=tuple(sorted(notes)))
