"""Propose a configuration for pictures: what a look finds, the values to begin with, and what a run is expected to take."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.lines import escaped
from pipeline.config.fields import as_yaml, fields
from pipeline.config.inference import CHOSEN, CHOSEN_FOR_SOME, complete, data_config
from pipeline.config.loading import apply_overrides, build_config
from pipeline.data.inspection import Survey, survey
from pipeline.running.expectation import Expectation, expect
from pipeline.running.request import title_of

FEW = 100  # pictures; with fewer, little can be learned, and nothing can be judged
HELD_OUT = 50  # held-out pictures from which on new pictures are judged
WIDTH = 100  # columns of the written file


@dataclass(frozen=True)
class Proposal:
    """A configuration for pictures."""

    text: str  # the configuration, YAML with comments
    seen: list[str]  # what was seen, one line each
    problems: list[str]  # what may be wrong with the pictures, one line each
    pictures: int  # their number
    expected: Expectation  # what a run is expected to take


def propose(images: str, overrides: Sequence[str] = ()) -> Proposal:
    """Look at pictures, and propose a configuration.

    Args:
        images: An absolute path or a URI.
        overrides: Fields of the configuration to set, such as `training.epochs=20`.

    Raises:
        InputError: There are no pictures, or an override is not valid.
    """
    given = apply_overrides({"title": title_of(images)}, overrides)
    build_config(given, "--set")
    found = survey(images, data_config(given))
    completed = complete(given, images, find=lambda *_: found.sources)
    config = build_config(completed, "--set")
    expected = expect(config, found.sources.count, found.sources.bytes)
    text = "\n".join(_file(images, completed, given, found, expected)) + "\n"
    return Proposal(text, found.lines, list(problems(found)), found.sources.count, expected)


def problems(found: Survey) -> Iterator[str]:
    """Yield what may be wrong with the pictures."""
    count, looked = found.sources.count, found.look
    if count < FEW:
        yield f"{count:,} pictures are few: the model will know them by heart; from about 1,000 on it learns what they share"
    unreadable, seen = sum(looked.refused.values()), looked.pictures + sum(looked.refused.values())
    if unreadable:
        yield f"{unreadable:,} of {seen:,} pictures that were looked at cannot be read, and will be left out"
    ratios = [max(height, width) / min(height, width) for height, width in looked.sizes if min(height, width)]
    if ratios and max(ratios) > 1.5:
        yield "some pictures are long: preprocessing.fit crops the center; pad keeps all of a picture"
    if len(looked.channels) > 1 and {1, 3} <= {min(channels, 3) | 1 for channels in looked.channels}:
        yield "gray and color pictures are mixed: the model treats all as color"
    labels = {label: number for label, number in looked.labels.items() if label}
    if len(labels) > 1 and looked.all_labels and max(labels.values()) > 20 * min(labels.values()):
        yield f"the labels are uneven: from {min(labels.values()):,} to {max(labels.values()):,} pictures"
    if 0.1 * count < HELD_OUT:
        yield f"about {0.1 * count:.0f} pictures are held out: new pictures are judged from {HELD_OUT} on"


def _file(
    images: str, completed: Mapping[str, Any], given: Mapping[str, Any], found: Survey, expected: Expectation
) -> Iterator[str]:
    yield f"# Darkroom's configuration for {escaped(images)}"
    yield from (f"# {line}" for line in found.lines[:6])
    yield f"# Expect {expected}, at most."
    yield "# `darkroom config explain FIELD` explains a field, and `darkroom config check FILE` checks this file."
    yield f"title: {as_yaml(completed['title'])}"
    for section, wanted in _sections(completed, given).items():
        yield ""
        yield f"{section}:"
        for name, value, is_set in wanted:
            meaning = fields()[f"{section}.{name}"].meaning
            prefix = "  # "
            yield from textwrap.wrap(
                meaning, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False, break_long_words=False
            )
            yield f"  {'' if is_set else '# '}{name}: {as_yaml(value)}"


def _sections(completed: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, list[tuple[str, Any, bool]]]:
    """Return by section the fields to write: name, value, and whether it is set or only a suggestion in a comment."""
    sections: dict[str, list[tuple[str, Any, bool]]] = {}
    for full, field in fields().items():
        section, _, name = full.rpartition(".")
        values = completed.get(section) or {} if section else {}
        by_hand = name in (given.get(section) or {}) if section else False
        if by_hand or (name in values and full in (*CHOSEN, *CHOSEN_FOR_SOME) and section != "evaluation"):
            sections.setdefault(section, []).append((name, _plain(values[name]), True))
        elif full in _SUGGESTED and name not in values:
            sections.setdefault(section, []).append(
                (name, _SUGGESTED[full] if _SUGGESTED[full] is not None else field.default, False)
            )
    return sections


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


# Fields that many users try, with the value to suggest in a comment; None for the default.
_SUGGESTED: dict[str, Any] = {
    "data.eval_share": None,
    "data.test_share": None,
    "preprocessing.fit": "pad",
    "model.latent_dim": None,
    "model.conditional": True,
    "training.patience": None,
    "training.warm_start": True,
    "tuning.trials": 10,
}
