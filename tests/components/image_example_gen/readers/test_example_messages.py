"""tf.Example as read without TensorFlow is what TensorFlow reads, damaged or not."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
import tensorflow as tf

from components.image_example_gen.readers.example_messages import EXAMPLE, SEQUENCE_EXAMPLE

RNG = np.random.default_rng(0)
VALUES = (
    tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"", b"\x00\xff"])),
    tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, -1e30])),
    tf.train.Feature(int64_list=tf.train.Int64List(value=[0, -(2**63), 2**63 - 1])),
    tf.train.Feature(),
)
FEATURES = tf.train.Features(feature={f"größe/{number}": value for number, value in enumerate(VALUES)})
LISTS = tf.train.FeatureLists(feature_list={"x": tf.train.FeatureList(feature=VALUES)})
KINDS = {
    "example": (tf.train.Example(features=FEATURES), EXAMPLE),
    "sequence": (tf.train.SequenceExample(context=FEATURES, feature_lists=LISTS), SEQUENCE_EXAMPLE),
}


def read(kind, data: bytes) -> bytes | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an end-group tag that none begins, from both
        try:
            return kind.FromString(data).SerializeToString(deterministic=True)
        except Exception:  # each implementation has its own
            return None


@pytest.mark.parametrize("name", KINDS)
def test_they_are_read_as_tensorflow_reads_them(name):
    message, ours = KINDS[name]
    data = message.SerializeToString(deterministic=True)
    assert read(ours, data) == data
    for _ in range(500):
        damaged = bytearray(data)
        damaged[int(RNG.integers(len(data)))] = int(RNG.integers(256))
        assert read(ours, bytes(damaged)) == read(type(message), bytes(damaged))


def test_a_look_at_records_does_not_wait_for_tensorflow(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        png = tf.io.encode_png(np.zeros((4, 4, 1), np.uint8)).numpy()
        for label in (b"cat", b"dog"):
            values = {"image": png, "label": label}
            feature = {key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for key, value in values.items()}
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    script = "import sys; from pipeline.cli.main import main\ntry: main(sys.argv[1:])\nfinally: print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script, "inspect", str(tmp_path / "a.tfrecord")], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr and "labels: 2: cat 1, dog 1" in done.stdout
    assert done.stdout.endswith("False\n")
