"""Show every value of a configuration, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config.fields import as_yaml, sections
from pipeline.config.inference import CHOSEN, CHOSEN_FOR_SOME
from pipeline.config.loading import build_config

DEFAULT, CHOICE, OPEN = "default", "chosen from the pictures", "open"


@dataclass(frozen=True)
class Value:
    """A value of the configuration."""

    name: str  # the full name of the field
    value: Any  # the value, of YAML's types
    origin: str  # the file, `--set`, or one of DEFAULT, CHOICE and OPEN


def values_of(
    final: Mapping[str, Any], given: Mapping[str, Any], source: str, overrides: Sequence[str] = (), looked: bool = True
) -> list[Value]:
    """Return all values of a configuration with their origins.

    Args:
        final: The complete values, by section and field, as `complete` returns them.
        given: The values that a person gave, from a file and by overrides.
        source: The name of the file.
        overrides: The overrides from the command line.
        looked: Whether the pictures were looked at. Otherwise the fields that are chosen from them are open.

    Raises:
        InputError: The values are not valid.
    """
    plain = build_config(final, source).to_values()
    by_hand = {override.partition("=")[0].strip() for override in overrides}
    found = []
    for section in sections():
        for field in section.fields:
            *_, name = field.name.split(".")
            inner = (given.get(section.name) or {}) if section.name else given
            value = plain[section.name][name] if section.name else plain[name]
            chosen = (final.get(section.name) or {}) if section.name else {}
            if field.name in by_hand or any(field.name.startswith(f"{each}.") for each in by_hand):
                origin = "--set"
            elif name in inner:
                origin = source
            elif not looked and field.name in CHOSEN:
                origin, value = OPEN, None
            elif looked and name in chosen and field.name in (*CHOSEN, *CHOSEN_FOR_SOME):
                origin = CHOICE
            else:
                origin = DEFAULT
            found.append(Value(field.name, value, origin))
    return found


def as_lines(values: Sequence[Value], changed: bool = False) -> Iterator[str]:
    """Yield values as YAML, with the origin of each as a comment; `changed` leaves out defaults.

    The lines read back to the same configuration. An open field is a comment.
    """
    before = ""
    for each in values:
        section, _, name = each.name.rpartition(".")
        if changed and each.origin == DEFAULT:
            continue
        if section != before:
            yield f"{section}:"
            before = section
        indent = "  " if section else ""
        if each.origin == OPEN:
            yield f"{indent}# {name}: {CHOICE}"
        else:
            text = f"{indent}{as_yaml(name)}: {as_yaml(each.value)}"
            yield text if each.origin == DEFAULT else f"{text}  # {each.origin}"
