"""Reads a rendered page as a strict browser would."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

from PIL import Image

VOID = {"br", "img", "input", "meta"}  # written without an end tag
FETCHED = {"src", "href", "srcset", "action", "poster", "data"}


class Page(HTMLParser):
    """What is in a page: its text, its elements, and all that a browser would fetch.

    Args:
        content: The HTML.

    Raises:
        AssertionError: A tag is not closed, or another one is.
    """

    def __init__(self, content: str):
        super().__init__(convert_charrefs=True)
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = re.findall(r"url\(\s*['\"]?([^)'\"]+)", content) + re.findall(r"@import[^;]*", content)
        self.words = ""
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name.split(":")[-1] in FETCHED and not name.startswith("data-"):
                self.addresses.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"</{tag}> closes {self._open[-1:]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("style", "script"):
            self.words += data

    def pictures(self) -> list[Image.Image]:
        """Every picture in the page, decoded."""
        return [open_uri(address) for address in self.addresses if address.startswith("data:")]


def open_uri(uri: str) -> Image.Image:
    """The PNG in a data URI."""
    head, body = uri.split(",", 1)
    assert head == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(body, validate=True)))
    assert image.format == "PNG"
    image.load()
    return image
