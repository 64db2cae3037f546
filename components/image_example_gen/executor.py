"""The executor of `ImageExampleGen`: from the pictures of a folder to the Examples artifact."""

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

from components.image_example_gen.config import DataConfig
from components.image_example_gen.files import join, printable
from components.image_example_gen.ingest import METER, IngestShard, records_name, tally_name
from components.image_example_gen.options import pictures_folder, unpack_options
from components.image_example_gen.reading import check_label_names
from components.image_example_gen.shards import plan_shards
from components.image_example_gen.sources import Sources, find_sources
from components.image_example_gen.splits import SPLITS, SplitRule
from components.image_example_gen.tally import Tally
from trainer.errors import InputError

_LOGGER = logging.getLogger("darkroom.ingest")


class ImageExampleGenExecutor(BaseExampleGenExecutor):
    """Decodes every picture once, refuses those that cannot be used, and writes the others as splits of tf.Examples."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802
        """Not used: `Do` writes each shard as a whole, which keeps the order."""
        raise NotImplementedError("ImageExampleGen writes its shards in Do")

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes Split-*/data_tfrecord-*.gz, summary.json and rejects.jsonl into the `examples` artifact.

        Args:
            input_dict: Empty.
            output_dict: `examples`: the artifact to fill.
            exec_properties: `input_base` and `input_config`: the folder; `custom_config`: the options.

        Raises:
            InputError: There are no pictures, all were refused, a split is empty, or an IDX file is damaged.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        started = time.monotonic()
        examples = artifact_utils.get_single_instance(output_dict[specs.EXAMPLES_KEY])
        config = unpack_options(exec_properties[specs.CUSTOM_CONFIG_KEY])
        sources = find_sources(pictures_folder(exec_properties))
        check_label_names(sources, config.label_names)

        working = join(examples.uri, "ingesting")
        rule = SplitRule.of(sources.splits(), config)
        tallies = self._ingest(sources, config, rule, working)
        total = Tally.total(tallies)
        if _copies_of_a_few(total, rule):
            _LOGGER.warning("nearly all pictures are copies of a few: split by path instead of content")
            fileio.rmtree(working)
            tallies = self._ingest(sources, config, dataclasses.replace(rule, by_path=True), working)
            total = Tally.total(tallies)
        _check(total, sources, config)
        _publish(examples, tallies, working)
        _write_reports(examples.uri, total, time.monotonic() - started)
        fileio.rmtree(working)

    def _ingest(self, sources: Sources, config: DataConfig, rule: SplitRule, working: str) -> list[Tally]:
        """Reads all shards into the folder `working` and returns what each held."""
        shards = plan_shards(sources, config.pictures_per_shard)
        fileio.makedirs(working)
        METER.start(sources.count)
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(shards)
                | "Ingest" >> beam.ParDo(IngestShard(working, rule, config.label_names))
            )
        return [Tally.from_json(_read_text(join(working, tally_name(shard.index)))) for shard in shards]


def _copies_of_a_few(total: Tally, rule: SplitRule) -> bool:
    """Whether a share took no picture where chance alone would take one (all but once in 150 times).

    Pictures that are all black, say, have to reach the gate on data, which says so, and not fail for an empty split.
    """
    pictures = sum(total.pictures(split) for split in SPLITS if split == "train" or rule.expected(split, 1))
    return any(not total.pictures(split) and rule.expected(split, pictures) >= 5 for split in SPLITS)


def _check(total: Tally, sources: Sources, config: DataConfig) -> None:
    """Raises an InputError where the pictures cannot be used."""
    where = printable(sources.folder)
    if total.mistake:
        raise InputError(total.mistake, total.rejects)
    if len(total.rejects) == sources.count:
        raise InputError(f"all {sources.count:,} pictures of {where} were refused: {_commonest(total)}", total.rejects)
    shares = {"eval": config.eval_share, "test": config.test_share}
    own_splits = sources.splits()
    for split in SPLITS:
        if total.pictures(split):
            continue
        if split in own_splits or split == "train":
            reason = f"refused were {_commonest(total)}" if total.rejects else "add pictures"
            raise InputError(f"no picture is left for the split {split!r} of {where}: {reason}", total.rejects)
        if shares[split]:
            raise InputError(
                f"the split {split!r} is empty: a share of {shares[split]:g} of the pictures in {where} took none; "
                f"add pictures, raise data.{split}_share, or make a folder {split!r}",
                total.rejects,
            )


def _commonest(total: Tally) -> str:
    """The commonest reasons for which pictures were refused."""
    return ", ".join(f"{count:,} x {reason}" for reason, count in total.reasons.most_common(3))


def _publish(examples: Artifact, tallies: list[Tally], working: str) -> None:
    """Moves the shards' files to where TFX reads them, numbered anew split by split, and describes the artifact."""
    splits = [split for split in SPLITS if any(tally.pictures(split) for tally in tallies)]
    examples.split_names = artifact_utils.encode_split_names(splits)
    for split in splits:
        uri = artifact_utils.get_split_uri([examples], split)
        fileio.makedirs(uri)
        shards = [index for index, tally in enumerate(tallies) if tally.pictures(split)]
        for number, index in enumerate(shards):
            final = join(uri, f"data_tfrecord-{number:05d}-of-{len(shards):05d}.gz")
            fileio.rename(join(working, records_name(index, split)), final)
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")


def _write_reports(uri: str, total: Tally, seconds: float) -> None:
    summary = total.summary(seconds)
    _write_text(join(uri, "summary.json"), json.dumps(summary, indent=2) + "\n")
    _write_text(join(uri, "rejects.jsonl"), "".join(json.dumps(reject) + "\n" for reject in total.rejects))
    pictures = ", ".join(f"{count:,} {split}" for split, count in summary["pictures"].items())
    _LOGGER.info("ingested %s pictures in %.1f s; refused %d", pictures, seconds, len(total.rejects))
    for reason, count in total.reasons.most_common():
        _LOGGER.warning("refused %d: %s", count, reason)


def _read_text(path: str) -> str:
    with fileio.open(path) as stream:
        return stream.read()


def _write_text(path: str, text: str) -> None:
    with fileio.open(path, "w") as stream:
        stream.write(text)
