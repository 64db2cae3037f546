"""Write the tables of fields in `docs/configuration.md`: `python -m pipeline.config.reference docs/configuration.md`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pipeline.config.fields import Field, sections

_MARKED = re.compile(r"(<!-- fields: (.*?) -->\n).*?(\n<!-- end of fields -->)", re.DOTALL)
_OUTSIDE = "outside"  # the name, in a mark, of the fields outside of sections
_LINK = re.compile(r"\bdocs/([\w-]+\.md)(#[\w-]+)?")


def filled(text: str) -> str:
    """Return a page with the tables between its marks `<!-- fields: SECTION ... -->` and `<!-- end of fields -->` written anew."""
    return _MARKED.sub(lambda mark: mark[1] + _tables(mark[2].split()) + mark[3], text)


def _tables(names: list[str]) -> str:
    known = {section.name or _OUTSIDE: section for section in sections()}
    parts = []
    for name in names:
        section = known[name]
        heading = [f"### `{name}`", "", section.meaning, ""] if len(names) > 1 and name != _OUTSIDE else []
        parts.append(
            "\n".join([*heading, "| field | values | default | meaning |", "|---|---|---|---|", *map(_row, section.fields)])
        )
    return "\n" + "\n\n".join(parts) + "\n"


def _row(field: Field) -> str:
    cells = (f"`{field.name}`", field.values, field.default_text, field.meaning)
    return "| " + " | ".join(_linked(cell).replace("|", r"\|") for cell in cells) + " |"


def _linked(text: str) -> str:
    return _LINK.sub(lambda link: f"[{link[1]}]({link[1]}{link[2] or ''})".replace("(configuration.md#", "(#"), text)


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
