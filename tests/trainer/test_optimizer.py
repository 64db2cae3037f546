"""FusedAdam against Keras' own Adam."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.replicas import adam_weights
from trainer.loop import get_strategy
from trainer.optimizer import FusedAdam


def test_same_weights_as_adam() -> None:
    strategy = get_strategy("one_device")
    fused, reference = (adam_weights(kind, strategy) for kind in (FusedAdam, keras.optimizers.Adam))
    for a, b in zip(fused, reference):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("options", [{"epsilon": 1e-2}, {"beta_1": 0.5, "beta_2": 0.9}], ids=str)
def test_same_weights_as_adam_with_other_options(options: dict[str, float]) -> None:
    finals = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        variable = keras.Variable(np.ones((4, 2)), dtype="float32")
        optimizer = kind(1e-2, **options)
        for seed in range(5):
            optimizer.apply([tf.random.stateless_normal([4, 2], seed=[seed, 0])], [variable])
        assert int(optimizer.iterations) == 5
        finals.append(np.asarray(variable))
    np.testing.assert_allclose(*finals, atol=1e-6)


def test_same_weights_as_adam_on_two_replicas(replicas: dict) -> None:
    assert replicas["replicas"] == {"mirrored": 2, "one_device": 1}
    assert replicas["adam"]["mirrored"] < 1e-6 and replicas["adam"]["one_device"] < 1e-6
    assert replicas["adam_across"] < 1e-6, "replicas' gradients add up to one device's"
