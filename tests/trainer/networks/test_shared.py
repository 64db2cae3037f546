"""What networks end with."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from trainer.networks.shared import Bias, Bounded, bounded, bounds_in_double, posterior_heads, small


def test_bias_adds_its_values_and_is_trained() -> None:
    values = np.arange(12.0)
    layer = Bias(values)
    x = tf.random.stateless_normal([5, 2, 3, 2], seed=[0, 0])
    np.testing.assert_allclose(layer(x), x + values.reshape(2, 3, 2), rtol=1e-6)
    assert [weight.shape for weight in layer.trainable_weights] == [(2, 3, 2)]


def test_bias_is_rebuilt_from_its_config() -> None:
    layer = Bias(np.arange(4.0), name="bias")
    again = Bias.from_config(layer.get_config())
    assert again.name == "bias"
    np.testing.assert_array_equal(again(tf.zeros([1, 2, 2, 1])), layer(tf.zeros([1, 2, 2, 1])))


def test_heads_start_next_to_the_prior() -> None:
    keras.utils.set_random_seed(0)
    features = keras.Input((30,))
    heads = keras.Model(features, posterior_heads(features, 4))
    mean, log_variance = heads(tf.random.stateless_normal([500, 30], seed=[0, 0]))
    assert mean.shape == log_variance.shape == (500, 4)
    assert 0.02 < np.std(mean) < 0.3 and (log_variance.numpy() == 0).all()


def test_small_is_a_tenth_of_the_usual_spread() -> None:
    keras.utils.set_random_seed(0)
    usual = keras.initializers.VarianceScaling(1.0)((100, 100))
    assert np.std(small()((100, 100))) / np.std(usual) < 0.12


def test_log_variances_stay_where_their_exponentials_are_numbers() -> None:
    x = tf.constant([-1e9, -5.0, 0.0, 0.5, 1e9])
    np.testing.assert_allclose(Bounded(20.0)(x), [-20.0, -4.9, 0.0, 0.5, 20.0], rtol=0.01)
    features = keras.Input((3,))
    _, log_variance = keras.Model(features, posterior_heads(features, 4))(1e9 * tf.ones([2, 3]))
    assert np.isfinite(tf.exp(log_variance)).all()
    again = Bounded.from_config(Bounded(3.0, name="b").get_config())
    assert again.limit == 3.0 and again.name == "b"


def test_bounds_in_double_are_right_to_the_last_digit() -> None:
    x = np.random.default_rng(0).normal(0, 6, 5000).astype(np.float32)
    with bounds_in_double():
        exact = bounded(tf.constant(x), 4.0)
    assert exact.dtype == tf.float32
    np.testing.assert_array_equal(exact, (4 * np.tanh(x.astype(np.float64) / 4)).astype(np.float32))
    assert 0 < np.mean(bounded(tf.constant(x), 4.0) != exact) < 1  # TensorFlow's float32 differs in the last digit
