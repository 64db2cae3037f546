"""The TFX component that reads pictures."""

from __future__ import annotations

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from components.image_example_gen.config import DataConfig
from components.image_example_gen.driver import ImageExampleGenDriver
from components.image_example_gen.executor import ImageExampleGenExecutor
from components.image_example_gen.options import pack_options


class ImageExampleGen(FileBasedExampleGen):
    """Read pictures into the splits train, eval and test.

    The output `examples` contains tf.Examples in TFRecords and, beside the splits, summary.json (counts), rejects.jsonl
    (rejected pictures, with reasons) and duplicates.jsonl (pictures left out as equal to another one). Unchanged
    pictures with unchanged options are taken from the cache.

    Args:
        images: A folder, an archive, an array, TFRecords or a manifest: a path or a URI. With {SPAN}, or {YYYY}, {MM} and
            {DD}: the folder of the latest span, or of several (`DataConfig.span_window`).
        config: How pictures are read and split.
        code: Hash of the project's code: changed code misses the cache.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(ImageExampleGenExecutor)
    DRIVER_CLASS = ImageExampleGenDriver

    def __init__(self, *, images: str, config: DataConfig, code: str):
        super().__init__(
            input_base=images,
            # Spans are resolved here, not by TFX, which would read only the latest one.
            input_config=example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="pictures", pattern="*")]),
            # The executor assigns the splits, not TFX's hash buckets.
            output_config=example_gen_pb2.Output(),
            custom_config=pack_options(config, code),
        )
