"""The executor of `ImageExampleGen`: convert pictures to the Examples artifact."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from typing import Any

import apache_beam as beam
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
from tfx.components.example_gen.utils import FINGERPRINT_PROPERTY_NAME
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils

from components.artifacts import Artifacts
from components.image_example_gen.config import DataConfig
from components.image_example_gen.discovery.handover import listed
from components.image_example_gen.discovery.sources import Sources
from components.image_example_gen.options import unpack_options
from components.image_example_gen.splits import SPLITS, SplitRule
from components.image_example_gen.storage.files import join, printable
from components.image_example_gen.writing.by_engine import followed
from components.image_example_gen.writing.by_span import span_of
from components.image_example_gen.writing.checks import check_read, check_splits, copies_of_a_few, refuse_copies
from components.image_example_gen.writing.decode import ExampleDecoder
from components.image_example_gen.writing.duplicates import distinct_of, drop_duplicates, find_duplicates
from components.image_example_gen.writing.ingest import METER, RECORDS, REJECTS, TALLY, IngestUnit, to_lines
from components.image_example_gen.writing.notes import notes_of
from components.image_example_gen.writing.tally import Tally
from components.image_example_gen.writing.units import ContainerUnit, FileUnit, plan_units

_LOGGER = logging.getLogger("darkroom.ingest")


class ImageExampleGenExecutor(BaseExampleGenExecutor):
    """Decode every picture once, reject unusable ones, and write the others as splits of tf.Examples."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802
        """Raise: `Do` writes each unit as a whole instead, which keeps the order."""
        raise NotImplementedError("ImageExampleGen writes its units in Do")

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write Split-*/data_tfrecord-*, summary.json, rejects.jsonl and duplicates.jsonl to the `examples` artifact.

        Args:
            input_dict: Empty.
            output_dict: `examples`: the artifact to fill.
            exec_properties: `input_base`: the location of the pictures; `custom_config`: the options; `input_fingerprint`: the
                fingerprint of the files, if a driver has listed them.

        Raises:
            InputError: There are no pictures, a split is empty, or a container file is damaged.
            GateRefused: More pictures were rejected than the configuration allows.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        started = time.monotonic()
        examples = artifact_utils.get_single_instance(output_dict[specs.EXAMPLES_KEY])
        config = unpack_options(exec_properties[specs.CUSTOM_CONFIG_KEY])
        working = join(examples.uri, "ingesting")
        fileio.makedirs(working)
        fingerprint = exec_properties.get(FINGERPRINT_PROPERTY_NAME)
        with listed(exec_properties[specs.INPUT_BASE_KEY], config, fingerprint) as (sources, listing):
            units = plan_units(sources, listing, config, working)
        rule = SplitRule.of(sources.own_splits, config)

        folder = join(working, "by-content")
        tallies = self._ingest(sources, units, ExampleDecoder(rule, config), folder)
        rejects = _rejects(sources, folder, len(units))
        copies = copies_of_a_few(Tally.total(tallies), rule)
        if copies and not config.keep_duplicates:
            refuse_copies(Tally.total(tallies), distinct_of(folder, len(units)), sources, rejects)
        if copies:  # by content, all copies of a picture would be in one split
            folder = join(working, "by-path")
            rule = dataclasses.replace(rule, by_path=True)
            tallies = self._ingest(sources, units, ExampleDecoder(rule, config), folder)
        check_read(_total(tallies, sources), sources, config, rejects)
        distinct = join(working, "distinct")
        duplicates = []
        if not config.keep_duplicates:
            duplicates = drop_duplicates(folder, distinct, find_duplicates(folder, len(units)), tallies)
        total = _total(tallies, sources)
        check_splits(total, sources, config, rejects)
        _publish(examples, tallies, folder, distinct)
        io_utils.write_string_file(join(examples.uri, "rejects.jsonl"), to_lines(rejects))
        io_utils.write_string_file(join(examples.uri, "duplicates.jsonl"), to_lines(duplicates))
        _write_summary(examples.uri, total, sources, config, time.monotonic() - started)
        fileio.rmtree(working)

    def _ingest(self, sources: Sources, units: list[FileUnit | ContainerUnit], decoder: ExampleDecoder, folder: str) -> list[Tally]:
        """Read all units, write to `folder`, and return their tallies."""
        fileio.makedirs(folder)
        METER.start(sources.count)
        pipeline = self._make_beam_pipeline()
        with followed(pipeline, sources.count), pipeline:
            # Without the reshuffle an engine would fuse both steps, and one worker would read all units.
            spread = pipeline | "Units" >> beam.Create(units) | "Spread" >> beam.Reshuffle()
            _ = spread | "Ingest" >> beam.ParDo(IngestUnit(folder, decoder, sources.span_depth))
        return [Tally.from_json(io_utils.read_string_file(join(folder, TALLY.format(unit.index)))) for unit in units]


def _total(tallies: list[Tally], sources: Sources) -> Tally:
    """Return the sum of the units' counts, and of the files that were left out before."""
    total = Tally.total(tallies)
    for left in sources.left_out:
        total.reasons[left.reason] += left.pictures
        if sources.span_depth:
            total.add_to_span(span_of(printable(left.path), sources.span_depth), None)
    return total


def _rejects(sources: Sources, folder: str, units: int) -> list[dict[str, str]]:
    """Return all rejects as `{"path": ..., "reason": ...}`, sorted by path."""
    rejects = [{"path": printable(left.path), "reason": left.reason} for left in sources.left_out]
    for unit in range(units):
        rejects += map(json.loads, io_utils.read_string_file(join(folder, REJECTS.format(unit))).splitlines())
    return sorted(rejects, key=lambda reject: reject["path"])


def _publish(examples: Artifact, tallies: list[Tally], folder: str, distinct: str) -> None:
    """Move the units' files to where TFX reads them, renumbered by split, and describe the artifact.

    A file in `distinct`, from which duplicates were removed, takes the place of the one in `folder`.
    """
    splits = [split for split in SPLITS if any(tally.pictures(split) for tally in tallies)]
    examples.split_names = artifact_utils.encode_split_names(splits)
    for split in splits:
        uri = artifact_utils.get_split_uri([examples], split)
        fileio.makedirs(uri)
        units = [index for index, tally in enumerate(tallies) if tally.pictures(split)]
        for number, index in enumerate(units):
            final = join(uri, f"data_tfrecord-{number:05d}-of-{len(units):05d}")
            rewritten, written = (join(place, RECORDS.format(index, split)) for place in (distinct, folder))
            fileio.rename(rewritten if fileio.exists(rewritten) else written, final)
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    # TFX has no other name for TFRecords; its readers detect compression by the files' names.
    examples_utils.set_file_format(examples, "tfrecords_gzip")


def _write_summary(uri: str, total: Tally, sources: Sources, config: DataConfig, seconds: float) -> None:
    summary = total.summary(seconds, sources.others) | {"notes": notes_of(total, sources, config)}
    io_utils.write_string_file(join(uri, "summary.json"), json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    pictures = ", ".join(f"{count:,} {split}" for split, count in summary["pictures"].items())
    _LOGGER.info("ingested %s pictures in %.1f s; refused %d", pictures, seconds, total.rejected)
    for reason, count in total.reasons.most_common():
        _LOGGER.warning("refused %d: %s", count, reason)
    for note in summary["notes"]:
        _LOGGER.info("%s", note)
