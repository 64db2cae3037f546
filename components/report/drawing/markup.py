"""Build SVG from values. Everything except `Markup` is escaped, so data cannot become markup."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

VOID = {"br", "img", "input", "meta"}  # written without an end tag


def fragment(*children: object) -> Markup:
    """Join children: markup, text, numbers, or iterables of them; None is skipped."""
    parts: list[Markup] = []
    for child in children:
        if isinstance(child, Iterable) and not isinstance(child, (str, bytes)):
            parts.append(fragment(*child))
        elif child is not None:
            parts.append(escape(child))
    return Markup("").join(parts)


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element.

    Args:
        name: Name of the element.
        *children: See `fragment`.
        **attributes: Underscores become hyphens, and trailing ones are removed (`class_`, `stroke_width`). True gives a bare
            attribute; None and False give none. Floats are written with at most two decimals.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{fragment(*children)}</{name}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    key = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {key}"
    if isinstance(value, float):
        value = short(value)
    return f' {key}="{escape(value)}"'


def short(value: float) -> str:
    """Format a coordinate with at most two decimals and no trailing zeros."""
    written = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written
