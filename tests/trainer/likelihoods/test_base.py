"""What every likelihood has, and what it need not say."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from trainer.likelihoods import Likelihood
from trainer.likelihoods.base import to_bits_per_dimension


class Uniform(Likelihood):
    """The density of [0, 1], whatever the decoder says."""

    def log_prob(self, x, parameters, training=False):
        return tf.zeros(tf.shape(x)[:1])

    def mean(self, parameters):
        return tf.fill(tf.shape(parameters), 0.5)

    def sample(self, parameters, seed):
        return tf.random.stateless_uniform(tf.shape(parameters), seed)

    def initial_bias(self, mean_picture, deviation):
        return np.zeros(mean_picture.size, np.float32)


def test_nothing_is_a_likelihood_that_leaves_out_what_it_has_to_say() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Likelihood("nothing", 1)


def test_what_is_left_unsaid() -> None:
    uniform = Uniform("uniform", 3)
    assert (uniform.name, uniform.output_channels, uniform.built) == ("uniform", 3, True)
    assert uniform.bits_per_dimension(100.0, 10) is None
    x = tf.zeros([2, 4, 4, 3])
    np.testing.assert_array_equal(uniform.reference_log_prob(x, x), uniform.log_prob(x, x))


@pytest.mark.parametrize("levels", [2, 256])
def test_bits_of_uniform_pictures(levels: int) -> None:
    assert to_bits_per_dimension(48 * np.log(levels), 48) == pytest.approx(np.log2(levels))
