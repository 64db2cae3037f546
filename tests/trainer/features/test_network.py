"""Pictures of any size are brought to a network's."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.features.network import shrink, smaller_shape


@pytest.mark.parametrize(
    ("shape", "smaller"),
    [((28, 28, 1), (28, 28, 1)), ((64, 64, 3), (32, 32, 3)), ((100, 50, 3), (32, 16, 3)), ((3, 1000, 1), (1, 32, 1))],
)
def test_large_pictures_are_shrunk_in_proportion(shape: tuple, smaller: tuple) -> None:
    assert smaller_shape(shape, 32) == smaller
    assert shrink(np.full((2, *shape), 77, np.uint8), smaller).numpy().tolist() == np.full((2, *smaller), 77).tolist()
