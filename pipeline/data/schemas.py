"""Schemas of the pictures: propose one from statistics, compare two in words, and accept one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

import components.data_gate
from common.errors import InputError
from common.features import CHANNELS, HEIGHT, LABEL, WIDTH
from common.writing import is_stream, write_text
from pipeline.config.loading import load_values
from pipeline.workspace.layout import command

if TYPE_CHECKING:  # the import takes seconds; the command line is checked first
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

NUMBERS = (HEIGHT, WIDTH, CHANNELS)
_SHOWN = 8  # values in a sentence


def default_schema() -> Path:
    """Return the project's own schema, which describes any picture after ingestion."""
    return Path(components.data_gate.__file__).with_name("schema.pbtxt")


def read_schema(path: Path) -> schema_pb2.Schema:
    """Read a schema in TFDV's text format; raise InputError if the file cannot be read, or is not a schema."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the schema {path}: {getattr(error, 'strerror', None) or error}") from None
    except text_format.ParseError as error:
        raise InputError(f"the schema {path} is not a TFDV schema in text format: line {error}") from None


def schema_of(config: Path | None) -> Path:
    """Return the schema that a configuration names, relative to its folder or to the working directory; else the project's."""
    named = load_values(config).get("schema") if config else None
    if not named:
        return default_schema()
    beside = config.parent / named
    return beside if beside.is_file() else Path(named)


def last_statistics(work: Path) -> Path:
    """Return the folder of the last statistics of a work folder, from an accepted or a refused run, or raise InputError."""
    folder = work / "artifacts" / "StatisticsGen" / "statistics"
    numbered = [path for path in folder.glob("*") if path.name.isdecimal() and list(path.glob("Split-*/FeatureStats.pb"))]
    if not numbered:
        raise InputError(f"{work} has no statistics of pictures yet: `{command('run --images DIR', work)}` makes some")
    return max(numbered, key=lambda path: int(path.name))


def propose(schema: schema_pb2.Schema, statistics: Path) -> schema_pb2.Schema:
    """Return a copy of a schema that requires the properties of the pictures: their labels, and the ranges of sizes and channels.

    `statistics` is a folder from `last_statistics`. Other features stay as they are.
    """
    from components.data_gate.statistics import range_of, values_of

    proposed = copy.deepcopy(schema)
    splits = [_load(path) for path in sorted(statistics.glob("Split-*/FeatureStats.pb"))]
    for feature in proposed.feature:
        if feature.name in NUMBERS:
            ranges = [result for split in splits if (result := range_of(split, feature.name))]
            if ranges:
                feature.int_domain.min = round(min(low for low, _ in ranges))
                feature.int_domain.max = round(max(high for _, high in ranges))
        elif feature.name == LABEL:
            result = [values for split in splits if (values := values_of(split, LABEL))]
            labels = sorted({label for values in result for label in values.counts})
            feature.ClearField("string_domain")
            if any(labels) and all(values.complete for values in result):
                feature.string_domain.value.extend(labels)
    return proposed


def differences(old: schema_pb2.Schema, new: schema_pb2.Schema) -> list[str]:
    """Return the differences between two schemas, one sentence each."""
    from components.data_gate.anomaly_text import FEATURES

    before, after = ({feature.name: feature for feature in schema.feature} for schema in (old, new))
    items = []
    for name in sorted(before.keys() | after.keys()):
        word = FEATURES.get(name, name)
        if name not in after:
            items.append(f"{word}: no longer asked for")
        elif name not in before:
            items.append(f"{word}: newly asked for")
        elif before[name] != after[name]:
            items.append(f"{word}: {_difference(before[name], after[name])}")
    return items


def accept(proposed: schema_pb2.Schema, config: Path) -> Path:
    """Write a schema beside a configuration file, and its name into that file. The rest of the file, with its comments, stays.

    Args:
        proposed: The schema.
        config: A YAML file; created if it does not exist.

    Returns:
        The file of the schema.

    Raises:
        InputError: A file cannot be written, or the configuration is not valid YAML.
    """
    from google.protobuf import text_format

    schema = config.with_suffix(".schema.pbtxt")
    for path in (schema, config):
        if is_stream(path) or path.is_dir():
            raise InputError(f"{path} is no file: a configuration and its schema are files beside each other")
    text = config.read_text(encoding="utf-8") if config.exists() else ""
    if config.exists():
        load_values(config)
    lines = [line for line in text.splitlines() if not line.startswith("schema:")]
    changed = "\n".join([*lines, f"schema: {yaml.safe_dump(schema.name).splitlines()[0]}"]) + "\n"
    try:
        for path, content in ((schema, text_format.MessageToString(proposed, as_utf8=True)), (config, changed)):
            write_text(content, path)
    except OSError as error:
        raise InputError(f"cannot write {error.filename}: {error.strerror}") from None
    return schema


def _difference(old: schema_pb2.Feature, new: schema_pb2.Feature) -> str:
    kinds = old.WhichOneof("domain_info"), new.WhichOneof("domain_info")
    if "string_domain" in kinds and set(kinds) <= {"string_domain", None}:
        before, after = set(old.string_domain.value), set(new.string_domain.value)
        if not before:
            return f"any, then {_some(after)}"
        if not after:
            return f"{_some(before)}, then any"
        changes = [("new", after - before), ("gone", before - after)]
        return "; ".join(f"{word} {_some(values)}" for word, values in changes if values) or "in another order"
    if kinds == ("int_domain", "int_domain"):
        return f"{_range(old.int_domain)}, then {_range(new.int_domain)}"
    return "asked for otherwise"


def _range(domain: schema_pb2.IntDomain) -> str:
    return f"{domain.min}" if domain.min == domain.max else f"{domain.min} to {domain.max}"


def _some(values: set[str]) -> str:
    names = [value or "none" for value in sorted(values)]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _load(path: Path) -> statistics_pb2.DatasetFeatureStatisticsList:
    import tensorflow_data_validation as tfdv

    return tfdv.load_stats_binary(str(path))
