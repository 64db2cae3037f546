"""What lies beside a model."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.trainer.tiny import CONFIG, make_vae
from trainer.describe import describe_model, describe_networks, model_card
from trainer.loop import Outcome

PICTURES = {"train": 12345, "eval": 678}
METRICS = {
    "eval": {
        "elbo": -123.456,
        "reconstruction": 100.123,
        "kl": 23.333,
        "importance_weighted": -120.987,
        "importance_samples": 50,
        "pictures": 678,
    }
}
OUTCOME = Outcome(epochs=9, best_epoch=7, seconds=61.7, images_per_second=1000.0)


def card(labels: list[str]) -> str:
    vae = make_vae()
    return model_card(describe_model(vae, CONFIG, labels, PICTURES), METRICS, OUTCOME)


def test_the_card_says_what_a_person_has_to_know() -> None:
    text = card(["sneaker", "bag"])
    figures = ("-123.46", "100.12", "23.33", "-120.99", "K = 50", "12,345", "678")
    for fact in ("bars", "8x8", "grey", "sneaker, bag", *figures):
        assert fact in text, fact
    assert "9 epochs, best 7, 62 s, seed 0" in text and "1,108 + 1,136 parameters" in text
    assert "None" not in text and "nan" not in text


def test_the_card_of_many_labels_and_of_none() -> None:
    text = card([f"label{i}" for i in range(30)])
    assert "label19 ..." in text and "label20" not in text
    assert "| labels | none (not seen by the model) |" in card([])


def test_the_description_is_what_programs_read() -> None:
    vae = make_vae((5, 7, 3), latent_dim=3)
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, latent_dim=3))
    description = json.loads(json.dumps(describe_model(vae, config, ["a"], PICTURES)))
    assert description["schema"] == 1 and description["image_shape"] == [5, 7, 3] and description["latent_dim"] == 3
    assert description["network"] == "dense" and description["likelihood"] == "bernoulli"
    assert description["labels"] == ["a"] and description["seed"] == 0 and description["pictures"] == PICTURES
    assert description["parameters"] == {"encoder": vae.encoder.count_params(), "decoder": vae.decoder.count_params()}
    assert description["protocol"] == config.protocol()


@pytest.mark.parametrize("network", ["dense", "convolutional"])
def test_the_layers_come_in_order_with_their_shapes(network: str) -> None:
    vae = make_vae((9, 6, 3), network=network, filters=(4, 6), hidden=(16, 10))
    layers = json.loads(json.dumps(describe_networks(vae)))
    encoder, decoder = layers["encoder"], layers["decoder"]
    assert encoder[0]["output_shape"] == [9, 6, 3] and [layer["output_shape"] for layer in encoder[-2:]] == [[2], [2]]
    assert {layer["name"] for layer in encoder[-2:]} == {"mean", "log_variance"}
    assert decoder[0]["output_shape"] == [2] and decoder[-1]["output_shape"] == [9, 6, 3]
    for part, model in ((encoder, vae.encoder), (decoder, vae.decoder)):
        assert sum(layer["parameters"] for layer in part) == model.count_params()
        assert len({layer["name"] for layer in part}) == len(part)
        assert all(set(layer) == {"name", "kind", "output_shape", "parameters", "detail"} for layer in part)
    details = {layer["name"]: layer["detail"] for layer in encoder + decoder}
    if network == "dense":
        hidden = [layer["detail"] for layer in encoder if layer["name"].startswith("hidden")]
        assert hidden == ["16 units, relu", "10 units, relu"]
    else:
        assert details["down_2"] == "6 filters, 4x4, stride 2, relu"
        assert details["up_1"] == "4 filters, 4x4, stride 2, relu"
    assert details["mean"] == "2 units"
