"""Starting from another model's weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from trainer.warm_start import WEIGHTS, load_weights, save_weights


def network(width: int = 3, name: str = "first") -> keras.Model:
    keras.utils.clear_session()
    model = keras.Sequential([keras.layers.Dense(width, name=name), keras.layers.Dense(2, name="last")], name="net")
    model.build((None, 4))
    return model


def weights(model: keras.Model) -> list[np.ndarray]:
    return [np.array(value) for value in model.get_weights()]


def test_the_same_networks_have_the_same_weights_then(tmp_path):
    keras.utils.set_random_seed(1)
    one, other = network(), network()
    save_weights(one, tmp_path)
    assert load_weights(other, tmp_path) == ""
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(("other", "reason"), [(network(5), "has another shape"), (network(name="second"), "has other layers")])
def test_other_networks_keep_their_own_weights_and_say_why(tmp_path, other, reason):
    save_weights(network(), tmp_path)
    before = weights(other)
    assert reason in load_weights(other, tmp_path)
    assert all((mine == theirs).all() for mine, theirs in zip(before, weights(other), strict=True))


def test_a_model_that_has_left_none(tmp_path):
    assert load_weights(network(), tmp_path) == "it has left no weights"


def test_pickles_are_not_read(tmp_path):
    model = network()
    np.savez(tmp_path / WEIGHTS, **{variable.path: np.array([print], object) for variable in model.weights})
    with pytest.raises(ValueError, match="allow_pickle"):
        load_weights(model, tmp_path)
