"""The worker's part: reads a shard and writes its examples, one file per split.

Nothing here imports TFX: a worker process starts several seconds sooner without it.
"""

from __future__ import annotations

import threading
import time
import uuid
from types import TracebackType

import apache_beam as beam
import tensorflow as tf

from components.image_example_gen.example import serialize
from components.image_example_gen.files import join
from components.image_example_gen.pictures import hash_of
from components.image_example_gen.reading import Rejected, read_shard
from components.image_example_gen.shards import FileShard, IdxShard
from components.image_example_gen.splits import SplitRule
from components.image_example_gen.tally import Tally
from trainer.errors import InputError
from trainer.progress import report_progress

# Pictures are compressed already: a higher level costs time and saves nothing. No time is written, so that equal
# examples give equal files.
_OPTIONS = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
_SECONDS_BETWEEN_REPORTS = 0.2


def records_name(shard: int, split: str) -> str:
    """The name of the file that holds a shard's examples of one split."""
    return f"{shard:05d}-{split}.gz"


def tally_name(shard: int) -> str:
    """The name of the file that holds a shard's counts."""
    return f"{shard:05d}.json"


class Meter:
    """Counts pictures over all shards that this process reads, on however many threads, and reports them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.start(0)

    def start(self, total: int) -> None:
        """Begins anew with `total` pictures to come."""
        self._done, self._rejects, self._total, self._reported = 0, 0, total, time.monotonic()

    def count(self, rejected: bool) -> None:
        """Counts one picture."""
        with self._lock:
            self._done += 1
            self._rejects += rejected
            if self._done < self._total and time.monotonic() - self._reported < _SECONDS_BETWEEN_REPORTS:
                return
            self._reported = time.monotonic()
            report_progress("ingesting", done=self._done, total=self._total or None, rejects=self._rejects)


# One for the process: a DoFn is copied for each thread.
METER = Meter()


class IngestShard(beam.DoFn):
    """Reads a shard's pictures and writes their examples and its counts into a folder.

    Args:
        folder: Where to.
        rule: Which split a picture belongs to.
        label_names: Names of the labels of IDX files.
    """

    def __init__(self, folder: str, rule: SplitRule, label_names: tuple[str, ...]):
        super().__init__()
        self._folder = folder
        self._rule = rule
        self._label_names = label_names

    def process(self, shard: FileShard | IdxShard) -> None:
        """Reads one shard. A worker that repeats it writes the same files again."""
        tally = Tally()
        try:
            with _ShardWriter(self._folder, shard.index) as writer:
                for item in read_shard(shard, self._label_names):
                    if isinstance(item, Rejected):
                        tally.reject(item)
                    else:
                        sha256 = hash_of(item.pixels)
                        split = self._rule.split_of(item.split, sha256, item.path)
                        writer.write(split, serialize(item, sha256))
                        tally.add(split, item)
                    METER.count(rejected=isinstance(item, Rejected))
        except InputError as mistake:
            # Beam would wrap it in a text of its own: the executor raises it once more.
            tally = Tally(mistake=str(mistake))
        _write_text(join(self._folder, tally_name(shard.index)), tally.to_json())


class _ShardWriter:
    """TFRecord files of one shard, opened when the first example comes, renamed when all are written."""

    def __init__(self, folder: str, index: int):
        self._folder = folder
        self._index = index
        self._suffix = uuid.uuid4().hex
        self._writers: dict[str, tf.io.TFRecordWriter] = {}

    def write(self, split: str, record: bytes) -> None:
        if split not in self._writers:
            self._writers[split] = tf.io.TFRecordWriter(self._temporary(split), _OPTIONS)
        self._writers[split].write(record)

    def __enter__(self) -> _ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()
        if kind is None:
            for split in self._writers:
                final = join(self._folder, records_name(self._index, split))
                tf.io.gfile.rename(self._temporary(split), final, overwrite=True)

    def _temporary(self, split: str) -> str:
        return join(self._folder, f"{records_name(self._index, split)}.{self._suffix}")


def _write_text(path: str, text: str) -> None:
    temporary = f"{path}.{uuid.uuid4().hex}"
    with tf.io.gfile.GFile(temporary, "w") as stream:
        stream.write(text)
    tf.io.gfile.rename(temporary, path, overwrite=True)
