"""The elements that sections share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from components.report.drawing.markup import Html, tag

PIXELATED_BELOW = 96  # pixels: smaller pictures are shown enlarged, with square pixels


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes:
        anchor: Its id.
        short: Its name in the navigation.
        title: Its heading.
        sentence: What it shows and how to read it, for a newcomer.
        body: Everything below.
    """

    anchor: str
    short: str
    title: str
    sentence: str
    body: Html


def picture(uri: str, alt: str, shape: Sequence[int], **attributes: object) -> Html:
    """Return an image that fills its cell; `shape` is the picture's original height, width, channels."""
    height, width = shape[:2]
    style = f"aspect-ratio:{width}/{height}"
    return tag("img", src=uri, alt=alt, class_=pixelated(shape), style=style, **attributes)


def pixelated(shape: Sequence[int]) -> str | None:
    """Return the class that enlarges small pictures without blur, or None."""
    return "px" if max(shape[:2]) < PIXELATED_BELOW else None


def aspect(shape: Sequence[int]) -> str:
    """Return the class that sets the number of columns for tall, broad or even pictures."""
    height, width = shape[:2]
    return "tall" if height > 1.5 * width else "broad" if width > 1.5 * height else "even"


def note(words: str) -> Html:
    """Return a remark that replaces missing content."""
    return tag("p", words, class_="note")


def two_sizes(draw: Callable[[int, int], Html], wide: tuple[int, int], narrow: tuple[int, int]) -> Html:
    """Draw a chart twice, so that its text is legible on phone and desktop; the style sheet shows one of them.

    Args:
        draw: Function from width and height in pixels to the drawing.
        wide: Width and height for desktop.
        narrow: Width and height for phone.
    """
    return tag("div", tag("div", draw(*wide), class_="wide"), tag("div", draw(*narrow), class_="narrow"), class_="two-sizes")


def table(head: Sequence[str], rows: Sequence[Sequence[object]], *, numbers_from: int = 1, marked: int | None = None) -> Html:
    """Return a table whose columns from `numbers_from` on hold numbers; the row `marked` is highlighted."""
    style = lambda i: "n" if i >= numbers_from else None  # noqa: E731
    cells = lambda row: [tag("td", cell, class_=style(i)) for i, cell in enumerate(row)]  # noqa: E731
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", [tag("th", cell, class_=style(i)) for i, cell in enumerate(head)])),
            tag("tbody", [tag("tr", cells(row), class_="marked" if i == marked else None) for i, row in enumerate(rows)]),
        ),
        class_="scroll",
    )


def has(pictures: np.ndarray | None) -> bool:
    """Return whether there is at least one picture."""
    return pictures is not None and len(pictures) > 0
