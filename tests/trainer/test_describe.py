"""What lies beside a model."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.trainer.tiny import CONDITIONAL, CONFIG, HIERARCHICAL, VAMPPRIOR, make_vae
from trainer.config import GenerationConfig
from trainer.describe import describe_model, describe_networks, model_card
from trainer.loop import Outcome
from trainer.networks.shared import ACTIVATION

PICTURES = {"train": 12345, "eval": 678}
OUTCOME = Outcome(epochs=9, best_epoch=7, seconds=61.7, images_per_second=1000.0)
METRICS = {
    **dataclasses.asdict(OUTCOME),
    "eval": {
        "elbo": -123.456,
        "reconstruction": 100.123,
        "kl": 23.333,
        "importance_weighted": -120.987,
        "importance_samples": 50,
        "bits_per_dimension": None,
        "pictures": 678,
    },
    "code": {"active_units": 13, "latent_dim": 16},
    "rebuilt": {"psnr": 21.72},
    "compression": {"bits_per_picture": 87.4, "psnr": 20.18},
}
SIGNATURES = ["serving_default", "generate"]


def card(labels: list[str] = [], bits: float | None = None, density: str = "prior", **model: object) -> str:
    vae = make_vae(**model)
    config = dataclasses.replace(
        CONFIG, model=dataclasses.replace(CONFIG.model, **model), generation=GenerationConfig(density=density)
    )
    metrics = {**METRICS, "eval": {**METRICS["eval"], "bits_per_dimension": bits}}
    return model_card(describe_model(vae, config, labels, PICTURES), metrics, SIGNATURES)


def test_the_card_says_what_a_person_has_to_know() -> None:
    text, vae = card(["sneaker", "bag"]), make_vae()
    figures = (
        "-123.46",
        "100.12",
        "23.33",
        "-120.99",
        "K = 50",
        "12,345",
        "678",
        "13 of 16",
        "21.7 dB",
        "87 bits",
        "20.2 dB",
        *SIGNATURES,
    )
    for fact in ("bars", "8x8", "grey", "sneaker, bag", *figures):
        assert fact in text, fact
    assert "9 epochs, best 7, 62 s, seed 0" in text
    assert f"{vae.encoder.count_params():,} + {vae.decoder.count_params():,} parameters" in text
    assert "None" not in text and "nan" not in text and "bits per dimension" not in text


def test_every_table_of_the_card_has_as_many_cells_in_each_row() -> None:
    for text in (card(), card(bits=1.2345)):
        tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
        assert len(tables) == 2
        for rows in tables:
            assert len({row.count("|") for row in rows}) == 1, rows


def test_the_card_of_many_labels_and_of_none() -> None:
    text = card([f"label{i}" for i in range(30)])
    assert "label19 ..." in text and "label20" not in text
    assert "| labels | none (not seen by the model) |" in card([])


def test_the_card_says_what_kind_of_model_it_is() -> None:
    plain = card(["a", "b"])
    assert "a, b (not seen by the model)" in plain and "| prior | standard normal; new codes come from it |" in plain
    other = card(["a", "b"], 1.2345, "mixture", **VAMPPRIOR, **CONDITIONAL, binarisation="dynamic")
    for fact in ("a, b (seen by the model)", "prior | vampprior", "Gaussian mixture", "bernoulli of pictures made black and white"):
        assert fact in other, fact
    assert "bits per dimension" in other and "1.234" in other
    assert "come from a flow" in card(["a", "b"], 1.2345, "flow")


def test_the_description_is_what_programs_read() -> None:
    vae = make_vae((5, 7, 3), latent_dim=3)
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, latent_dim=3))
    description = json.loads(json.dumps(describe_model(vae, config, ["a"], PICTURES)))
    assert description["schema"] == 1 and description["image_shape"] == [5, 7, 3] and description["latent_dim"] == 3
    assert description["network"] == "dense" and description["likelihood"] == "bernoulli"
    assert description["labels"] == ["a"] and description["seed"] == 0 and description["pictures"] == PICTURES
    assert description["parameters"] == {"encoder": vae.encoder.count_params(), "decoder": vae.decoder.count_params()}
    assert description["protocol"] == config.protocol()


def test_parameters_of_both_levels_are_counted() -> None:
    vae = make_vae(**HIERARCHICAL)
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, **HIERARCHICAL))
    parameters = describe_model(vae, config, [], PICTURES)["parameters"]
    assert parameters["encoder"] == vae.encoder.count_params() + vae.lower_encoder.count_params()
    layers = json.loads(json.dumps(describe_networks(vae)))
    assert {part: sum(layer["parameters"] for layer in layers[part]) for part in layers} == parameters
    for part in layers.values():
        assert len({layer["name"] for layer in part}) == len(part)


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
        assert [detail.split(",")[0] for detail in hidden] == ["16 units", "10 units"]
    else:
        assert details["down_2"] == f"6 filters, 4x4, stride 2, {ACTIVATION}"
        assert details["up_1"] == f"4 filters, 4x4, stride 2, {ACTIVATION}"
    assert details["mean"] == "2 units"
