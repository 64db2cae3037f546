"""Run one measurement in a separate process: seconds after the imports, and peak memory. See `benchmarks.ingestion`."""

from __future__ import annotations

import argparse
import functools
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def plain(name: str, images: Path, out: Path) -> Callable[[], None]:
    """Return one of the loops of `benchmarks.ingestion.plain`."""
    from benchmarks.ingestion.plain import READERS, write_examples

    return lambda: write_examples(READERS[name], images, out)


def ours(images: Path, out: Path) -> Callable[[], None]:
    """Return a function that runs ImageExampleGen's executor."""
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import standard_artifacts

    import components.image_example_gen.discovery.survey  # noqa: F401 (imported when pictures are looked for)
    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.config import DataConfig
    from components.image_example_gen.executor import ImageExampleGenExecutor
    from pipeline.engines.arguments import LOCAL_BEAM

    def run() -> None:
        examples = standard_artifacts.Examples()
        examples.uri = str(out / "examples")
        component = ImageExampleGen(images=str(images), config=DataConfig(), code="")
        executor = ImageExampleGenExecutor(BaseBeamExecutor.Context(beam_pipeline_args=list(LOCAL_BEAM)))
        executor.Do({}, {"examples": [examples]}, dict(component.exec_properties))

    return run


def listing(images: Path, out: Path) -> Callable[[], None]:
    """Return a function that finds and counts all files without opening them."""
    from components.image_example_gen.discovery.find import find_sources

    return lambda: find_sources(str(images))


def statistics(images: Path, out: Path) -> Callable[[], None]:
    """Return a function that runs StatisticsGen and ExampleValidator on ingested examples; `images` is their artifact."""
    from tfx.components.example_validator.executor import Executor as Validator
    from tfx.components.statistics_gen.executor import Executor as StatisticsGen
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import artifact_utils, standard_artifacts

    import components.data_gate
    from components.data_gate.statistics import options
    from pipeline.engines.arguments import LOCAL_BEAM

    def run() -> None:
        examples, result, schema, anomalies = (
            kind()
            for kind in (
                standard_artifacts.Examples,
                standard_artifacts.ExampleStatistics,
                standard_artifacts.Schema,
                standard_artifacts.ExampleAnomalies,
            )
        )
        examples.uri, result.uri, anomalies.uri = str(images), str(out / "statistics"), str(out / "anomalies")
        examples.split_names = artifact_utils.encode_split_names([path.name[6:] for path in images.glob("Split-*")])
        schema.uri = str(out / "schema")
        Path(schema.uri).mkdir()
        text = Path(components.data_gate.__file__).with_name("schema.pbtxt").read_text()
        Path(schema.uri, "schema.pbtxt").write_text(text)
        context = BaseBeamExecutor.Context(beam_pipeline_args=list(LOCAL_BEAM))
        properties = {"exclude_splits": "[]", "stats_options_json": options().to_json()}
        StatisticsGen(context).Do({"examples": [examples]}, {"statistics": [result]}, properties)
        Validator().Do({"statistics": [result], "schema": [schema]}, {"anomalies": [anomalies]}, {"exclude_splits": "[]"})

    return run


SIDES = {function.__name__: function for function in (ours, listing, statistics)}


def peak_mebibytes() -> float:
    """Return the peak memory of this process, plus that of each child process that still exists.

    `ru_maxrss` would include the memory of the parent at the start of this process.
    """
    started = [number for path in Path("/proc/self/task").glob("*/children") for number in path.read_text().split()]
    items = [re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{number}/status").read_text()) for number in ("self", *started)]
    return sum(int(match[1]) for match in items if match) / 1024


def main() -> None:
    """Print seconds and mebibytes as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", help=f"{', '.join(SIDES)}, or a loop of benchmarks.ingestion.plain")
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    arguments.out.mkdir(parents=True, exist_ok=True)
    make = SIDES.get(arguments.side) or functools.partial(plain, arguments.side)
    run = make(arguments.images, arguments.out)
    begin, cpu = time.perf_counter(), time.process_time()
    run()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu, "mebibytes": peak_mebibytes()}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the threads of libraries would take seconds to stop


if __name__ == "__main__":
    main()
