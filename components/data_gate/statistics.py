"""Read TFDV's statistics of the pictures."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx import types
from tfx.types import artifact_utils

from common import features


@dataclass(frozen=True)
class Values:
    """The distinct values of a feature."""

    counts: Counter[str]  # pictures by value; only the most common values if there are very many
    complete: bool  # whether `counts` has all values


def options() -> tfdv.StatsOptions:
    """Return TFDV's options for statistics whose memory does not grow with the number of pictures.

    By default, TFDV counts every distinct value, including the pictures' bytes. Sketches count up to 1,024 values exactly. Features
    that differ from picture to picture are not counted by value at all.
    """
    each_its_own = schema_pb2.StringDomain(is_categorical=schema_pb2.StringDomain.CATEGORICAL_NO)
    schema = schema_pb2.Schema(
        feature=[
            schema_pb2.Feature(name=features.ENCODED, type=schema_pb2.BYTES, image_domain=schema_pb2.ImageDomain()),
            schema_pb2.Feature(name=features.PATH, type=schema_pb2.BYTES, string_domain=each_its_own),
            schema_pb2.Feature(name=features.SHA256, type=schema_pb2.BYTES, string_domain=each_its_own),
        ]
    )
    return tfdv.StatsOptions(schema=schema, use_sketch_based_topk_uniques=True)


def splits_of(statistics: types.Artifact) -> list[str]:
    """Return the splits that have statistics."""
    return artifact_utils.decode_split_names(statistics.split_names)


def read_statistics(statistics: types.Artifact, split: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Read the statistics of a split."""
    path = os.path.join(artifact_utils.get_split_uri([statistics], split), "FeatureStats.pb")
    return tfdv.load_stats_binary(path)


def feature_of(statistics: statistics_pb2.DatasetFeatureStatisticsList, name: str) -> statistics_pb2.FeatureNameStatistics | None:
    """Return the statistics of one feature, or None if there are none."""
    features = statistics.datasets[0].features
    return next((feature for feature in features if feature.path.step[:1] == [name]), None)


def values_of(statistics: statistics_pb2.DatasetFeatureStatisticsList, name: str) -> Values | None:
    """Return the values of a text feature, or None if there is no such feature."""
    feature = feature_of(statistics, name)
    if feature is None:
        return None
    buckets = feature.string_stats.rank_histogram.buckets
    counts = Counter({bucket.label: round(bucket.sample_count) for bucket in buckets})
    return Values(counts, len(counts) >= feature.string_stats.unique)


def range_of(statistics: statistics_pb2.DatasetFeatureStatisticsList, name: str) -> tuple[float, float] | None:
    """Return the smallest and the largest value of a numeric feature, or None if there is no such feature."""
    feature = feature_of(statistics, name)
    return None if feature is None else (feature.num_stats.min, feature.num_stats.max)
