"""One measurement, in a process of its own: seconds after the imports, and peak memory. See `benchmarks.ingestion`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def plain_files(images: Path, out: Path) -> Callable[[], None]:
    """The loop that anyone would write: read, decode, take statistics, write a TFRecord."""
    import numpy as np
    import tensorflow as tf
    from PIL import Image

    def run() -> None:
        with tf.io.TFRecordWriter(str(out / "plain")) as writer:
            for path in sorted(images.rglob("*.*")):
                data = path.read_bytes()
                with Image.open(path) as image:
                    writer.write(plain_example(tf, np.asarray(image), data, str(path)))

    return run


def plain_idx(images: Path, out: Path) -> Callable[[], None]:
    """The same for an IDX file, whose pictures it stores as PNG, for an example holds a picture file."""
    import io

    import numpy as np
    import tensorflow as tf
    from PIL import Image

    def run() -> None:
        (path,) = images.glob("*images-idx3-ubyte")
        levels = np.frombuffer(path.read_bytes(), np.uint8, offset=16).reshape(-1, 28, 28)
        with tf.io.TFRecordWriter(str(out / "plain")) as writer:
            for number, pixels in enumerate(levels):
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "PNG")
                writer.write(plain_example(tf, pixels, buffer.getvalue(), str(number)))

    return run


def plain_example(tf: object, pixels: object, data: bytes, path: str) -> bytes:
    """A picture as a serialised tf.Example, as the documentation of TensorFlow makes one."""
    feature = tf.train.Feature
    texts = {"encoded": data, "path": path.encode(), "label": b"", "format": b"png"}
    numbers = dict(zip(("height", "width"), pixels.shape))
    features = {name: feature(bytes_list=tf.train.BytesList(value=[text])) for name, text in texts.items()}
    features |= {name: feature(int64_list=tf.train.Int64List(value=[number])) for name, number in numbers.items()}
    levels = {"mean": pixels.mean(), "std": pixels.std()}
    features |= {name: feature(float_list=tf.train.FloatList(value=[level])) for name, level in levels.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def ours(images: Path, out: Path) -> Callable[[], None]:
    """ImageExampleGen's executor."""
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import standard_artifacts

    from components.image_example_gen.component import ImageExampleGen
    from components.image_example_gen.config import DataConfig
    from components.image_example_gen.executor import ImageExampleGenExecutor
    from pipeline.run import LOCAL_BEAM

    def run() -> None:
        examples = standard_artifacts.Examples()
        examples.uri = str(out / "examples")
        component = ImageExampleGen(images=str(images), config=DataConfig(), code="")
        executor = ImageExampleGenExecutor(BaseBeamExecutor.Context(beam_pipeline_args=list(LOCAL_BEAM)))
        executor.Do({}, {"examples": [examples]}, dict(component.exec_properties))

    return run


def listing(images: Path, out: Path) -> Callable[[], None]:
    """All files found and counted, none opened."""
    from components.image_example_gen.discovery.sources import find_sources

    return lambda: find_sources(str(images))


def statistics(images: Path, out: Path) -> Callable[[], None]:
    """StatisticsGen and ExampleValidator on examples that were ingested before; `images` is their artifact."""
    from tfx.components.example_validator.executor import Executor as Validator
    from tfx.components.statistics_gen.executor import Executor as StatisticsGen
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import artifact_utils, standard_artifacts

    import components.data_gate
    from components.data_gate.statistics import options
    from pipeline.run import LOCAL_BEAM

    def run() -> None:
        examples, found, schema, anomalies = (
            kind()
            for kind in (
                standard_artifacts.Examples,
                standard_artifacts.ExampleStatistics,
                standard_artifacts.Schema,
                standard_artifacts.ExampleAnomalies,
            )
        )
        examples.uri, found.uri, anomalies.uri = str(images), str(out / "statistics"), str(out / "anomalies")
        examples.split_names = artifact_utils.encode_split_names([path.name[6:] for path in images.glob("Split-*")])
        schema.uri = str(out / "schema")
        Path(schema.uri).mkdir()
        text = Path(components.data_gate.__file__).with_name("schema.pbtxt").read_text()
        Path(schema.uri, "schema.pbtxt").write_text(text)
        context = BaseBeamExecutor.Context(beam_pipeline_args=list(LOCAL_BEAM))
        properties = {"exclude_splits": "[]", "stats_options_json": options().to_json()}
        StatisticsGen(context).Do({"examples": [examples]}, {"statistics": [found]}, properties)
        Validator().Do({"statistics": [found], "schema": [schema]}, {"anomalies": [anomalies]}, {"exclude_splits": "[]"})

    return run


SIDES = {function.__name__: function for function in (plain_files, plain_idx, ours, listing, statistics)}


def main() -> None:
    """Prints seconds and mebibytes as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    arguments.out.mkdir(parents=True, exist_ok=True)
    run = SIDES[arguments.side](arguments.images, arguments.out)
    begin = time.perf_counter()
    run()
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "mebibytes": peak}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the libraries' threads would take seconds to wind up


if __name__ == "__main__":
    main()
