"""The executor of `ImageExampleGen`: from pictures to the Examples artifact."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from typing import Any

import apache_beam as beam
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, artifact_utils
from tfx.types import standard_component_specs as specs

from components.image_example_gen.by_span import span_of
from components.image_example_gen.config import DataConfig
from components.image_example_gen.develop import Developer
from components.image_example_gen.discovery.listing import Listing
from components.image_example_gen.discovery.sources import Sources, described, find_sources
from components.image_example_gen.duplicates import drop_duplicates, find_duplicates, to_lines
from components.image_example_gen.ingest import METER, IngestUnit, records_name, rejects_name, tally_name
from components.image_example_gen.options import unpack_options
from components.image_example_gen.splits import SPLITS, SplitRule
from components.image_example_gen.storage.files import join, printable
from components.image_example_gen.tally import Tally
from components.image_example_gen.units import ContainerUnit, FileUnit, plan_units
from trainer.errors import GateRefused, InputError

_LOGGER = logging.getLogger("darkroom.ingest")


class ImageExampleGenExecutor(BaseExampleGenExecutor):
    """Decodes every picture once, refuses those that cannot be used, and writes the others as splits of tf.Examples."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802
        """Not used: `Do` writes each unit as a whole, which keeps the order."""
        raise NotImplementedError("ImageExampleGen writes its units in Do")

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes Split-*/data_tfrecord-*, summary.json, rejects.jsonl and duplicates.jsonl into the `examples` artifact.

        Args:
            input_dict: Empty.
            output_dict: `examples`: the artifact to fill.
            exec_properties: `input_base`: where the pictures are; `custom_config`: the options.

        Raises:
            InputError: There are no pictures, a split is empty, or a file of many pictures is damaged.
            GateRefused: More pictures were refused than the configuration allows.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        started = time.monotonic()
        examples = artifact_utils.get_single_instance(output_dict[specs.EXAMPLES_KEY])
        config = unpack_options(exec_properties[specs.CUSTOM_CONFIG_KEY])
        working = join(examples.uri, "ingesting")
        fileio.makedirs(working)
        with Listing() as listing:
            sources = find_sources(exec_properties[specs.INPUT_BASE_KEY], config, listing.add)
            units = plan_units(sources, listing, config, working)
        rule = SplitRule.of(sources.own_splits, config)

        folder = join(working, "by-content")
        tallies = self._ingest(sources, units, Developer(rule, config), folder)
        copies = _copies_of_a_few(Tally.total(tallies), rule)
        if copies:
            _LOGGER.warning("nearly all pictures are copies of a few: split by path instead of content, duplicates kept")
            folder = join(working, "by-path")
            rule = dataclasses.replace(rule, by_path=True)
            tallies = self._ingest(sources, units, Developer(rule, config), folder)
        rejects = _rejects(sources, folder, len(units))
        _check(Tally.total(tallies), sources, config, rejects)
        _check_label_file(Tally.total(tallies), sources, config)
        listed = []
        if not (copies or config.keep_duplicates):
            listed = drop_duplicates(folder, find_duplicates(folder, len(units)), tallies)
        total = Tally.total(tallies)
        for left in sources.left_out if sources.span_depth else ():
            total.add_to_span(span_of(printable(left.path), sources.span_depth), None)
        _check_splits(total, sources, config, rejects)
        _publish(examples, tallies, folder)
        _write_text(join(examples.uri, "rejects.jsonl"), to_lines(rejects))
        _write_text(join(examples.uri, "duplicates.jsonl"), to_lines(listed))
        _write_summary(examples.uri, total, sources, time.monotonic() - started)
        fileio.rmtree(working)

    def _ingest(self, sources: Sources, units: list[FileUnit | ContainerUnit], developer: Developer, folder: str) -> list[Tally]:
        """Reads all units, writes into `folder` and returns what each held."""
        fileio.makedirs(folder)
        METER.start(sources.count)
        with self._make_beam_pipeline() as pipeline:
            _ = pipeline | "Units" >> beam.Create(units) | "Ingest" >> beam.ParDo(IngestUnit(folder, developer, sources.span_depth))
        return [Tally.from_json(_read_text(join(folder, tally_name(unit.index)))) for unit in units]


def _copies_of_a_few(total: Tally, rule: SplitRule) -> bool:
    """Whether a share took no picture where chance alone would take one (all but once in 150 times).

    Pictures that are all black, say, have to reach the gate on data, which says so, and not fail for an empty split.
    """
    pictures = sum(total.pictures(split) for split in SPLITS if split == "train" or rule.expected(split, 1))
    return any(not total.pictures(split) and rule.expected(split, pictures) >= 5 for split in SPLITS)


def _rejects(sources: Sources, folder: str, units: int) -> list[dict[str, str]]:
    """All that was refused, as `{"path": ..., "reason": ...}`, sorted by path."""
    rejects = [{"path": printable(left.path), "reason": left.reason} for left in sources.left_out]
    for unit in range(units):
        rejects += map(json.loads, _read_text(join(folder, rejects_name(unit))).splitlines())
    return sorted(rejects, key=lambda reject: reject["path"])


def _check(total: Tally, sources: Sources, config: DataConfig, rejects: list[dict[str, str]]) -> None:
    """Raises an InputError where nothing can be read, a GateRefused where more was refused than the configuration allows."""
    if total.mistake:
        raise InputError(total.mistake, rejects)
    total.reasons.update(left.reason for left in sources.left_out)
    seen = total.accepted + total.rejected
    if seen and not total.accepted:
        raise InputError(f"all {seen:,} pictures of {printable(sources.folder)} were refused: {_commonest(total)}", rejects)
    if total.rejected > config.max_rejects * seen:
        raise GateRefused(
            "data",
            [
                f"{total.rejected:,} of {seen:,} pictures in {printable(sources.folder)} were refused, data.max_rejects allows "
                f"{config.max_rejects:.0%}: {_commonest(total)}"
            ],
            rejects,
        )


def _check_label_file(total: Tally, sources: Sources, config: DataConfig) -> None:
    """Raises an InputError where the label file names no picture at all."""
    if not config.label_file:
        return
    if not total.found:
        such = f", such as {printable(sources.sample[0])}" if sources.sample else ""
        raise InputError(
            f"the label file {printable(config.label_file)} names none of the pictures in {printable(sources.folder)}: its "
            f"paths must be relative to that folder{such}"
        )


def _check_splits(total: Tally, sources: Sources, config: DataConfig, rejects: list[dict[str, str]]) -> None:
    """Raises an InputError where a split is empty."""
    where = printable(sources.folder)
    shares = {"eval": config.eval_share, "test": config.test_share}
    own_splits = sources.own_splits if config.heeds_splits else ()
    for split in SPLITS:
        if total.pictures(split):
            continue
        if split in own_splits or split == "train":
            reason = f"refused were {_commonest(total)}" if rejects else _elsewhere(total)
            if total.duplicates:
                reason = f"{total.duplicates:,} were left out, for another split has the same ones"
            raise InputError(f"no picture is left for the split {split!r} of {where}: {reason}", rejects)
        if shares[split]:
            copies = f", of which {total.duplicates:,} are copies of others" if total.duplicates else ""
            raise InputError(
                f"the split {split!r} is empty: a share of {shares[split]:g} of the pictures in {where}{copies} took none; "
                f"add pictures, raise data.{split}_share, or make a folder {split!r}",
                rejects,
            )


def _elsewhere(total: Tally) -> str:
    """What became of the pictures where one split has none of them, and what to do."""
    others = " and ".join(f"{total.pictures(split):,} went to {split}" for split in SPLITS if total.pictures(split))
    return f"of {total.accepted:,} in all, {others}; add pictures"


def _commonest(total: Tally) -> str:
    """The commonest reasons for which pictures were refused."""
    return ", ".join(f"{count:,} x {reason}" for reason, count in total.reasons.most_common(3))


def _publish(examples: Artifact, tallies: list[Tally], folder: str) -> None:
    """Moves the units' files to where TFX reads them, numbered anew split by split, and describes the artifact."""
    splits = [split for split in SPLITS if any(tally.pictures(split) for tally in tallies)]
    examples.split_names = artifact_utils.encode_split_names(splits)
    for split in splits:
        uri = artifact_utils.get_split_uri([examples], split)
        fileio.makedirs(uri)
        units = [index for index, tally in enumerate(tallies) if tally.pictures(split)]
        for number, index in enumerate(units):
            final = join(uri, f"data_tfrecord-{number:05d}-of-{len(units):05d}")
            fileio.rename(join(folder, records_name(index, split)), final)
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    # TFX has no other word for TFRecords; whether they are packed, its readers see by their names.
    examples_utils.set_file_format(examples, "tfrecords_gzip")


def _write_summary(uri: str, total: Tally, sources: Sources, seconds: float) -> None:
    total.reasons.update(left.reason for left in sources.left_out)
    summary = total.summary(seconds, sources.others)
    _write_text(join(uri, "summary.json"), json.dumps(summary, indent=2) + "\n")
    pictures = ", ".join(f"{count:,} {split}" for split, count in summary["pictures"].items())
    _LOGGER.info("ingested %s pictures in %.1f s; refused %d", pictures, seconds, total.rejected)
    for reason, count in total.reasons.most_common():
        _LOGGER.warning("refused %d: %s", count, reason)
    if sources.others:
        _LOGGER.warning("passed over files that are not called like pictures: %s", described(sources.others))


def _read_text(path: str) -> str:
    with fileio.open(path) as stream:
        return stream.read()


def _write_text(path: str, text: str) -> None:
    with fileio.open(path, "w") as stream:
        stream.write(text)
