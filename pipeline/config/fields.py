"""List the fields of the configuration: what each means, which values it takes, and its default.

Descriptions come from the docstrings of the sections. `darkroom config explain`, `darkroom init` and the tables of
`docs/configuration.md` take them from here, so that they cannot disagree.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml
from annotated_types import Ge, Gt, Le, Len, Lt

from common.errors import InputError
from pipeline.config.inference import CHOSEN, CHOSEN_FOR_SOME
from pipeline.config.schema import Config, plain

CHOICES = "docs/configuration.md#what-a-look-chooses"
# Defaults that are not a value of the class.
_OTHER_DEFAULTS = {
    "title": "the folder's name",
    "schema": "the project's",
    "tuning.epochs": "a quarter of training.epochs",
    "tuning.space": "docs/configuration.md#the-search-for-hyperparameters",
    "mlflow.experiment": "the title",
    "cluster.name": "darkroom- and the title",
    "cluster.image": "darkroom:VERSION",
    "cluster.push_to": "s3://mlpipeline/models/NAME",
    "cluster.registry": "PUSH_TO-registry",
}
_TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


@dataclass(frozen=True)
class Field:
    """A field of the configuration."""

    name: str  # the full name, such as training.epochs
    meaning: str  # its description, one paragraph
    values: str  # the values that it takes, such as "a whole number above 0"
    default: Any  # the value of the class
    default_text: str  # the default for a reader: a value as YAML, or where it comes from; "" for null

    @property
    def section(self) -> str:
        """The name of its section; '' for a field outside of sections."""
        return self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Section:
    """A section of the configuration."""

    name: str
    meaning: str  # one sentence
    fields: tuple[Field, ...]


@functools.cache
def sections() -> tuple[Section, ...]:
    """Return all sections in the order of the configuration. The first has the name '' and the fields outside of sections."""
    meanings = described(Config)
    top: list[str] = []
    inner: list[Section] = []
    for each in dataclasses.fields(Config):
        kind = each.default_factory
        if dataclasses.is_dataclass(kind):
            inner.append(Section(each.name, meanings[each.name], tuple(_fields_of(kind, f"{each.name}."))))
        else:
            top.append(each.name)
    outside = tuple(_fields_of(Config, "", top))
    return (Section("", "Fields outside of sections.", outside), *inner)


def fields() -> dict[str, Field]:
    """Return all fields by their full names, in the order of the configuration."""
    return {field.name: field for section in sections() for field in section.fields}


def find(name: str) -> list[Field] | Section:
    """Return a section, or the fields of a name: one for a full name, all that end with it for a part such as `epochs`.

    Raises:
        InputError: There is no such field; the message names the closest one.
    """
    known = fields()
    name = name.strip().removeprefix("--set").strip().partition("=")[0]
    for section in sections():
        if name and section.name == name.rstrip("."):
            return section
    if name in known:
        return [known[name]]
    found = [field for field in known.values() if name and field.name.endswith(f".{name}")]
    if found:
        return found
    parts = {full.rpartition(".")[2]: full for full in known}
    near = difflib.get_close_matches(name, [*known, *parts, *(section.name for section in sections())], n=1, cutoff=0.7)
    guess = f"; did you mean {parts.get(near[0], near[0])}" if near else ""
    raise InputError(f"no field {name!r}{guess}; `darkroom config explain` lists all")


def described(kind: type) -> dict[str, str]:
    """Return the descriptions of a class's attributes from its docstring, each as one line."""
    _, _, listed = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    block = re.split(r"\n(?=\S)", listed)[0]
    parts = re.split(r"^    (\w+): ", block, flags=re.MULTILINE)[1:]
    return {name: " ".join(text.split()) for name, text in zip(parts[::2], parts[1::2])}


def as_yaml(value: Any) -> str:
    """Return a value as YAML on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True).strip().removesuffix("\n...")


def _fields_of(kind: type, prefix: str, only: Sequence[str] | None = None) -> Iterator[Field]:
    meanings, hints = described(kind), get_type_hints(kind, include_extras=True)
    for each in dataclasses.fields(kind):
        if only is not None and each.name not in only:
            continue
        name = prefix + each.name
        default = plain(each.default if each.default_factory is dataclasses.MISSING else each.default_factory())
        yield Field(name, meanings[each.name], values_of(hints[each.name]), default, _default_text(name, default))


def _default_text(name: str, default: Any) -> str:
    if name in _OTHER_DEFAULTS:
        return _OTHER_DEFAULTS[name]
    if name in CHOSEN:
        return "chosen"
    text = "" if default in (None, [], {}, "") else as_yaml(default)
    return f"{text or '[]'}, or chosen" if name in CHOSEN_FOR_SOME else text


def values_of(hint: Any) -> str:
    """Return in words which values a type annotation allows."""
    kind, arguments = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return _bounded(values_of(arguments[0]), hint.__metadata__)
    if kind is Literal:
        return _either([as_yaml(value) for value in arguments])
    if kind in (Union, types.UnionType):
        words = _either([values_of(each) for each in arguments if each is not type(None)])
        return f"{words}, or null" if type(None) in arguments else words
    if kind is tuple:
        repeated = arguments[-1] is Ellipsis
        kinds = arguments[:-1] if repeated else arguments
        if repeated or len(set(kinds)) == 1:
            count = "" if repeated else f"{len(kinds)} "
            return f"a list of {count}{_plural(values_of(kinds[0]))}"
        return f"a list: {', '.join(map(values_of, kinds))}"
    if dataclasses.is_dataclass(hint):
        return f"mappings of {', '.join(each.name for each in dataclasses.fields(hint))}"
    if kind in (dict, Mapping) or kind is typing.get_origin(Mapping[str, str]):
        return "a mapping of names" if arguments[1] in (Any, str) else f"a mapping of names to {values_of(arguments[1])}"
    return _TYPES.get(hint, "text")


def _bounded(text: str, limits: tuple[Any, ...]) -> str:
    low = next((limit for limit in limits if isinstance(limit, (Ge, Gt))), None)
    high = next((limit for limit in limits if isinstance(limit, (Le, Lt))), None)
    if any(isinstance(limit, Len) for limit in limits):
        return f"{text}, at least one"
    if isinstance(low, Ge) and isinstance(high, Le):
        return f"{text} from {low.ge} to {high.le}"
    words = []
    if low is not None:
        words.append(f"of {low.ge} or more" if isinstance(low, Ge) else f"above {low.gt}")
    if high is not None:
        words.append(f"at most {high.le}" if isinstance(high, Le) else f"below {high.lt}")
    return " ".join([text, " and ".join(words)]).strip()


def _plural(text: str) -> str:
    return re.sub(r"^a (whole )?number\b,?", lambda match: f"{match[1] or ''}numbers", text)


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
