"""Serialised examples, against protobuf's own."""

from __future__ import annotations

import pytest
import tensorflow as tf

from components.image_example_gen.writing.example import Row, serialize

ROW = Row(b"\x89PNG" + bytes(300), "png", "", "cat/siamese", "cat/ü.png", "ab" * 32, 28, 300, 3, 72.94, 90.02, "usual")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"encoded": bytes(200_000)},
        {"label": "", "path": "x" * 200},
        {"height": 65_535, "width": 1, "mean": 0.0},
        {"std": 127.5},
    ],
    ids=["usual", "large", "long", "numbers", "fraction"],
)
def test_the_bytes_are_protobufs(changed):
    row = ROW._replace(**changed)
    example = tf.train.Example()
    for name, value in row._asdict().items():
        feature = example.features.feature[f"image/{name}"]
        if isinstance(value, int):
            feature.int64_list.value.append(value)
        elif isinstance(value, float):
            feature.float_list.value.append(value)
        else:
            feature.bytes_list.value.append(value if isinstance(value, bytes) else value.encode())
    assert serialize(row) == example.SerializeToString(deterministic=True)
