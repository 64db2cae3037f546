"""Build HTML and SVG from values. Everything except `Html` is escaped, so data cannot become markup."""

from __future__ import annotations

import html
from collections.abc import Iterable

VOID = {"br", "img", "input", "meta"}  # written without an end tag


class Html(str):
    """Text that is already markup."""


def text(value: object) -> Html:
    """Return `value` as markup: escaped, unless it is `Html`."""
    return value if isinstance(value, Html) else Html(html.escape(str(value)))


def fragment(*children: object) -> Html:
    """Join children: markup, text, numbers, or iterables of them; None is skipped."""
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Iterable) and not isinstance(child, (str, bytes)):
            parts.append(fragment(*child))
        else:
            parts.append(text(child))
    return Html("".join(parts))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """Return an element.

    Args:
        name: Name of the element.
        *children: See `fragment`.
        **attributes: Underscores become hyphens, and trailing ones are removed (`class_`, `stroke_width`). True gives a bare
            attribute; None and False give none. Floats are written with at most two decimals.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{fragment(*children)}</{name}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    key = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {key}"
    if isinstance(value, float):
        value = short(value)
    return f' {key}="{html.escape(str(value))}"'


def short(value: float) -> str:
    """Format a coordinate with at most two decimals and no trailing zeros."""
    written = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written
