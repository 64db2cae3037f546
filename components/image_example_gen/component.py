"""The TFX component that reads pictures."""

from __future__ import annotations

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2, range_config_pb2

from components.image_example_gen.config import DataConfig
from components.image_example_gen.driver import ImageExampleGenDriver
from components.image_example_gen.executor import ImageExampleGenExecutor
from components.image_example_gen.options import pack_options


class ImageExampleGen(FileBasedExampleGen):
    """Reads a folder of pictures or IDX files into the splits train, eval and test.

    Its output `examples` holds tf.Examples in gzipped TFRecords, and beside the splits summary.json (what was read) and
    rejects.jsonl (what was refused, and why). An unchanged folder with unchanged options is taken from the cache.

    Args:
        images: The folder: a path or a URI.
        config: How pictures are read and divided.
        code: Hash of the project's code: edited code misses the cache.
        pattern: Which files below `images`; with {SPAN}, {VERSION} or a date as in `span-{SPAN}/*` the folder of the
            latest span, or of the one that `range_config` says.
        range_config: The span to read.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(ImageExampleGenExecutor)
    DRIVER_CLASS = ImageExampleGenDriver

    def __init__(
        self,
        *,
        images: str,
        config: DataConfig,
        code: str,
        pattern: str = "*",
        range_config: range_config_pb2.RangeConfig | None = None,
    ):
        split = example_gen_pb2.Input.Split(name="pictures", pattern=pattern)
        super().__init__(
            input_base=images,
            input_config=example_gen_pb2.Input(splits=[split]),
            # The splits are the executor's to decide, not TFX's hash buckets.
            output_config=example_gen_pb2.Output(),
            custom_config=pack_options(config, code),
            range_config=range_config,
        )
