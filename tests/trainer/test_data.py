"""From records to batches."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

import trainer.data
from tests.trainer.tiny import PREPROCESSING, encode, noise, write_examples, write_records
from trainer.data import Pictures, list_records, read_encoded
from trainer.preprocessing import decode_levels


@pytest.fixture
def numbered() -> Pictures:
    """Pictures of 1x1 whose levels say which they are."""
    return Pictures(np.arange(53, dtype=np.uint8).reshape(53, 1, 1, 1))


def epochs(pictures: Pictures, count: int, batch_size: int = 8, **options: int) -> list[list[np.ndarray]]:
    """The batches of the first epochs, as numbers."""
    steps = -(-len(pictures) // batch_size)
    batches = islice(pictures.shuffled(batch_size, **options).as_numpy_iterator(), count * steps)
    numbers = [batch.ravel() for batch in batches]
    return [numbers[start : start + steps] for start in range(0, count * steps, steps)]


def test_each_picture_comes_exactly_once_an_epoch(numbered: Pictures) -> None:
    for epoch in epochs(numbered, 3, seed=0):
        assert [len(batch) for batch in epoch] == [8] * 6 + [5]
        assert sorted(np.concatenate(epoch)) == list(range(53))


def test_each_epoch_has_another_order_and_other_batches(numbered: Pictures) -> None:
    found = epochs(numbered, 3, seed=0)
    assert len({tuple(np.concatenate(epoch)) for epoch in found}) == 3
    together = [{frozenset(batch) for batch in epoch} for epoch in found]
    assert not together[0] & together[1]
    assert np.concatenate(found[0]).tolist() != list(range(53))


def test_the_seed_decides_the_order(numbered: Pictures) -> None:
    def orders(**options: int) -> list[list[int]]:
        return [np.concatenate(epoch).tolist() for epoch in epochs(numbered, 2, **options)]

    assert orders(seed=3) == orders(seed=3)
    assert orders(seed=3) != orders(seed=4)


def test_batches_in_order(numbered: Pictures) -> None:
    batches = list(numbered.in_order(20))
    assert [len(batch) for batch in batches] == [20, 20, 13]
    np.testing.assert_array_equal(np.concatenate(batches), numbered.levels)


def test_mean_picture() -> None:
    levels = noise(0, 5000, 3, 2, 3)  # more than are summed at once
    mean = Pictures(levels).mean()
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, levels.astype(float).mean(axis=0) / 255, rtol=1e-6)
    assert (Pictures(np.full((4100, 1, 1, 1), 255, np.uint8)).mean() == 1.0).all()


def test_decoding_is_what_the_pixel_graph_does(
    tmp_path: Path, graph: tft.TFTransformOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer.data, "READ_BATCH", 4)
    encoded = [encode(noise(seed, 6 + seed % 7, 5 + seed % 5, 1 + seed % 4)) for seed in range(43)]
    encoded[0] = encode(noise(0, 1500, 1500, 3))  # takes longest, and is the first all the same
    write_examples(tmp_path / "examples", {"train": encoded}, {})
    pattern = str(tmp_path / "examples" / "Split-train" / "*")
    pictures = Pictures.decode("train", [pattern], graph, tmp_path / "pixels")
    assert len(pictures) == len(encoded) and pictures.levels.dtype == np.uint8
    direct = [decode_levels(tf.constant(content), PREPROCESSING).numpy() for content in encoded]
    np.testing.assert_array_equal(pictures.levels, direct)
    np.testing.assert_array_equal(next(pictures.in_order(10)), direct[:10])


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number in (2, 0, 1):
        write_records(tmp_path / str(number % 2) / f"part-{number}.gz", [b"%d-%d" % (number, k) for k in range(3)])
    files = list_records([str(tmp_path / "1" / "*"), str(tmp_path / "0" / "*")])
    assert [Path(file).name for file in files] == ["part-0.gz", "part-2.gz", "part-1.gz"]
    found = [content for batch in read_encoded(files) for content in batch.numpy()]
    assert found == [b"%d-%d" % (number, k) for number in (0, 2, 1) for k in range(3)]


def test_no_records_are_told_with_where_they_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Split-eval"):
        list_records([str(tmp_path / "Split-eval" / "*")])
