"""FusedAdam against Keras' own Adam (on replicas in test_loop.py), and bounded gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.optimizer import FusedAdam, GradientBound
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


def test_running_means_of_the_weights() -> None:
    """Against the sum itself: decays 0.1, 2/11, 3/12 ... up to the most."""
    variables = [keras.Variable(np.full(shape, 2.0), dtype="float32") for shape in ((4, 2), (3,))]
    optimizer = FusedAdam(0.1, average=0.4)
    optimizer.build(variables)
    expected = [np.array(v) for v in variables]
    step = tf.function(lambda gradients: optimizer.apply(gradients, variables))
    for taken in range(12):
        step([tf.random.stateless_normal(v.shape, seed=[taken, len(v.shape)]) for v in variables])
        decay = min(0.4, (1 + taken) / (10 + taken))
        expected = [decay * mean + (1 - decay) * np.array(v) for mean, v in zip(expected, variables)]
    for mean, own, variable in zip(expected, optimizer.averages, variables):
        np.testing.assert_allclose(own, mean, rtol=1e-5)
        assert np.abs(np.array(own) - np.array(variable)).max() > 0.01
    assert {id(v) for v in optimizer.averages} <= {id(v) for v in optimizer.variables}, "checkpoints have them"


GRADIENTS = [tf.constant([[3.0, 0.0]]), tf.constant([4.0, 0.0, 0.0])]  # of norm 5


@pytest.mark.parametrize("most, scale", [(5.1, 1.0), (2.5, 0.5), (0.01, 0.002)])
def test_large_gradients_are_scaled_down_together_and_others_left(most: float, scale: float) -> None:
    for before, after in zip(GRADIENTS, tf.function(GradientBound(most))(GRADIENTS)):
        np.testing.assert_allclose(after, scale * before, rtol=1e-6)


def test_the_bound_follows_the_usual_norm() -> None:
    bound = GradientBound(1e6)
    step = tf.function(bound)
    for _ in range(2000):
        step(GRADIENTS)
    np.testing.assert_allclose(float(bound.usual), 5.0, rtol=1e-3)
    for before, after in zip(GRADIENTS, step([1e9 * gradient for gradient in GRADIENTS])):
        np.testing.assert_allclose(after, bound.SPREAD * before, rtol=1e-3)
    assert float(bound.usual) < 5.2, "an outlier hardly moves it"
    for _ in range(1000):
        step([10.0 * gradient for gradient in GRADIENTS])
    np.testing.assert_allclose(step([10.0 * gradient for gradient in GRADIENTS])[0], 10.0 * GRADIENTS[0], rtol=1e-6)


def test_what_is_not_a_number_stays_so_and_is_forgotten() -> None:
    bound = GradientBound(1.0)
    assert np.isnan(bound([tf.constant([1.0, np.nan])])[0]).any()
    assert float(bound.usual) == 0.25
