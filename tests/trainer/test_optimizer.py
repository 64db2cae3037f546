"""FusedAdam against Keras' own Adam; on replicas in test_loop.py."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.optimizer import FusedAdam
from trainer.schedules import WarmupCosine


@pytest.mark.parametrize("options", [{}, {"epsilon": 1e-2}, {"beta_1": 0.5, "beta_2": 0.9}], ids=str)
def test_same_weights_as_keras_own(options: dict[str, float]) -> None:
    finals = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        variables = [keras.Variable(np.ones(shape), dtype="float32") for shape in ((4, 2), (3,))]
        optimizer = kind(WarmupCosine(1e-2, 20, 4), **options)
        for step in range(20):
            optimizer.apply([tf.random.stateless_normal(v.shape, seed=[step, len(v.shape)]) for v in variables], variables)
        assert int(optimizer.iterations) == 20
        finals.append(np.concatenate([np.ravel(v) for v in variables]))
    assert np.abs(finals[0] - 1).max() > 0.01, "weights moved"
    np.testing.assert_allclose(*finals, atol=1e-6)
