"""Starting from another model's weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from trainer.config import ModelConfig
from trainer.vae import VAE, TrainingData
from trainer.warm_start import WEIGHTS, load_weights, save_weights

MODELS = {
    "dense": {"hidden": [8, 8]},
    "convolutional": {"network": "convolutional", "filters": [4, 4]},
    "spatial": {"network": "spatial", "width": 8, "latent_channels": 2},
    "hierarchical": {"network": "hierarchical", "hidden": [8, 8]},
    "vampprior": {"hidden": [8, 8], "prior": "vampprior", "pseudo_inputs": 4},
    "conditional": {"hidden": [8, 8], "conditional": True},
    "learned sigma": {"hidden": [8, 8], "likelihood": "gaussian"},
}


def build(values: dict) -> VAE:
    examples = np.full((4, 8, 8, 1), 0.5, np.float32)
    data = TrainingData(examples[0], examples[0] * 0 + 0.1, examples, 3 if values.get("conditional") else 0)
    return VAE(ModelConfig(**{"latent_dim": 4, "top_latent_dim": 2, **values}), (8, 8, 1), data)


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


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_weight_of_a_model_is_saved_whatever_was_built_before(tmp_path, model):
    keras.utils.clear_session()
    one = build(model)
    for i, variable in enumerate(one.weights):
        variable.assign(np.full(variable.shape, i))
    save_weights(one, tmp_path)
    # Keras numbers unnamed layers through the whole process: a cached component has built none.
    other = build(model)
    assert load_weights(other, tmp_path) == ""
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_model_that_has_left_none(tmp_path):
    assert load_weights(network(), tmp_path) == "it has left no weights"


def test_pickles_are_not_read(tmp_path):
    model = network()
    save_weights(model, tmp_path)
    with np.load(tmp_path / WEIGHTS) as saved:
        names = saved.files
    np.savez(tmp_path / WEIGHTS, **{name: np.array([print], object) for name in names})
    with pytest.raises(ValueError, match="allow_pickle"):
        load_weights(model, tmp_path)
