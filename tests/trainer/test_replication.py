"""How batches and random numbers are divided among replicas, whatever their number."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import tensorflow as tf

from trainer.augmentation import augment
from trainer.corruption import corrupt_variously
from trainer.data import Pictures
from trainer.replication import Place, Replication, draw_rows, drawing_for, get_strategy

PLACES = [Place(worker, 3, 2) for worker in range(3)]


@pytest.mark.parametrize("count", [0, 1, 5, 6, 53])
def test_shares_cover_a_row_once_and_are_even(count: int) -> None:
    row = np.arange(count)
    shares = [row[share] for place in PLACES for share in place.replica_shares(count)]
    assert np.concatenate(shares).tolist() == row.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    for place in PLACES:
        assert row[place.share(count)].tolist() == np.concatenate([row[part] for part in place.replica_shares(count)]).tolist()


def test_each_picture_comes_once_an_epoch_to_one_worker() -> None:
    """53 pictures by 8 on 3 workers of 2 replicas: the last batch of 5 leaves one replica without a picture."""
    pictures = Pictures(np.arange(53, dtype=np.uint8).reshape(53, 1, 1, 1), np.arange(53, dtype=np.int32))
    whole = list(islice(pictures.shuffled(8, seed=3), 14))  # two epochs
    parts = [list(islice(pictures.shuffled(8, seed=3, place=place), 28)) for place in PLACES]
    for step, (levels, labels, places) in enumerate(whole):
        of_step = [part for mine in parts for part in mine[2 * step : 2 * step + 2]]
        for together, values in enumerate((levels, labels, places)):
            np.testing.assert_array_equal(np.concatenate([part[together] for part in of_step]), values)
    first = np.concatenate([levels.numpy().ravel() for mine in parts for levels, _, _ in mine[:14]])
    assert sorted(first) == list(range(53))
    assert any(len(labels) == 0 for mine in parts for _, labels, _ in mine)


@pytest.mark.parametrize("place", [0, 2])
def test_what_is_drawn_for_a_picture_does_not_depend_on_the_number_of_replicas(place: int) -> None:
    levels, seed = tf.constant(np.random.default_rng(0).integers(0, 256, (8, 6, 6, 3), np.uint8)), tf.constant([1, 2])

    def drawn(rows: slice) -> list[np.ndarray]:
        mine = levels[rows]
        changed = augment(mine, ("mirrored", "shifted", "jittered"), seed)
        corrupted = [
            corrupt_variously(tf.image.convert_image_dtype(mine, tf.float32), kind, 0.5, seed) for kind in ("gaussian", "masking")
        ]
        noise = draw_rows(tf.random.stateless_normal, [mine.shape[0], 3], seed)
        return [values.numpy() for values in (changed, *corrupted, noise)]

    whole, rows = drawn(slice(0, 8)), Place(place, 3).share(8)
    with drawing_for(tf.range(rows.start, rows.stop), 8):
        mine = drawn(rows)
    for part, values in zip(mine, whole, strict=True):
        np.testing.assert_allclose(part, values[rows], rtol=1e-6)
    without = drawn(rows)
    assert np.abs(without[-1] - whole[-1][rows]).max() > 0.1 if place else True, "without the places, draws would differ"


def test_one_worker_shares_with_itself() -> None:
    alone = Replication(get_strategy("one_device"))
    assert alone.place == Place() and alone.place.is_chief
    assert alone.sum(np.array([1.5, 2.0])).tolist() == [1.5, 2.0]
    assert alone.share_from_chief(None) is None
    assert alone.share_from_chief([np.ones(2)])[0].tolist() == [1.0, 1.0]
