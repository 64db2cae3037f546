"""Train pythae's VAE and its samplers for `benchmarks.quality.peers`. The script runs in a separate environment, and does not import this project.

The VAE has the convolutional networks of pythae's own benchmarks, and trains for a given time. Its weights with the lowest loss on one
picture in twenty are kept. Each sampler is fitted to its codes with pythae's default configuration.

Run by path: python pythae_side.py '{"pictures": "train.npy", "minutes": 10, "count": 500, "seed": 0, "out": "folder"}'
It writes SAMPLER.npy, uint8 [count, h, w, c], into `out`, and prints the number of epochs and the minutes of each sampler as JSON.
"""

import copy
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.nn.benchmarks.cifar import Encoder_Conv_VAE_CIFAR
from pythae.models.nn.benchmarks.mnist import Encoder_Conv_VAE_MNIST
from pythae.samplers import (
    GaussianMixtureSampler,
    GaussianMixtureSamplerConfig,
    IAFSampler,
    IAFSamplerConfig,
    MAFSampler,
    MAFSamplerConfig,
    NormalSampler,
    TwoStageVAESampler,
    TwoStageVAESamplerConfig,
)
from pythae.trainers import BaseTrainerConfig
from torch.utils.data import DataLoader

NETWORKS = {(3, 32, 32): ("cifar", Encoder_Conv_VAE_CIFAR, 256), (1, 28, 28): ("mnist", Encoder_Conv_VAE_MNIST, 16)}
BATCH, RATE, HELD_OUT = 100, 5e-4, 20  # one picture in HELD_OUT chooses the weights
SAMPLER_EPOCHS = 20  # of the autoregressive flow and the second VAE
MAX_IAF = 32  # latent dimensions; a density of an IAF takes two passes for each, which is an hour for 256


def main() -> None:
    """Train, fit, and write the samplers' pictures."""
    request = json.loads(sys.argv[1])
    logging.disable(logging.INFO)
    torch.manual_seed(request["seed"])
    levels = np.load(request["pictures"])
    pictures = torch.from_numpy(levels.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    chooses = np.arange(len(pictures)) % HELD_OUT == 0
    train, held_out = pictures[~chooses], pictures[chooses]
    model, epochs = fit(network(tuple(pictures.shape[1:])), train, held_out, 60 * request["minutes"])
    minutes = {}
    for name, sampler in samplers(model).items():
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory() as scratch:
            settings = BaseTrainerConfig(output_dir=scratch, num_epochs=SAMPLER_EPOCHS, learning_rate=1e-3, no_cuda=True)
            trained = {} if name in ("normal", "mixture") else {"eval_data": held_out, "training_config": settings}
            if name != "normal":
                sampler.fit(train_data=train, **trained)
        drawn = sampler.sample(num_samples=request["count"], batch_size=100).clamp(0, 1).numpy()
        np.save(Path(request["out"]) / f"{name}.npy", np.round(255 * drawn.transpose(0, 2, 3, 1)).astype(np.uint8))
        minutes[name] = (time.perf_counter() - begin) / 60
    sys.stdout.write("\n" + json.dumps({"epochs": epochs, "minutes": minutes}) + "\n")


def network(shape: tuple[int, int, int]) -> VAE:
    """Return an untrained VAE for pictures of a shape (channels, height, width)."""
    if shape not in NETWORKS:
        raise SystemExit(f"pythae's benchmarks have networks for {sorted(NETWORKS)}, not for {shape}")
    kind, encoder, latent_dim = NETWORKS[shape]
    module = sys.modules[encoder.__module__]
    config = VAEConfig(input_dim=shape, latent_dim=latent_dim, reconstruction_loss="bce" if shape[0] == 1 else "mse")
    decoder = getattr(module, f"Decoder_Conv_AE_{kind.upper()}")
    return VAE(config, encoder=encoder(config), decoder=decoder(config))


def fit(model: VAE, train: torch.Tensor, held_out: torch.Tensor, seconds: float) -> tuple[VAE, float]:
    """Train for a time, and return the model with its best weights on the held-out pictures, and the number of epochs."""
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    loader = DataLoader(BaseDataset(train, torch.zeros(len(train))), batch_size=BATCH, shuffle=True, drop_last=True)
    best, weights, epochs, end = float("inf"), None, 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        model.train()
        for batch in loader:
            optimizer.zero_grad()
            model(batch).loss.backward()
            optimizer.step()
            epochs += 1 / len(loader)
            if time.perf_counter() > end:
                break
        model.eval()
        with torch.no_grad():
            parts = [model(BaseDataset(part, torch.zeros(len(part)))[:]).loss.item() for part in held_out.split(BATCH)]
        if np.mean(parts) < best:
            best, weights = np.mean(parts), copy.deepcopy(model.state_dict())
    model.load_state_dict(weights)
    return model.eval(), epochs


def samplers(model: VAE) -> dict[str, object]:
    """Return pythae's samplers for the codes of a VAE; a masked autoregressive flow where the inverse one takes too long."""
    inverse = model.latent_dim <= MAX_IAF
    return {
        "normal": NormalSampler(model),
        "mixture": GaussianMixtureSampler(model, GaussianMixtureSamplerConfig(n_components=10)),
        "flow": IAFSampler(model, IAFSamplerConfig()) if inverse else MAFSampler(model, MAFSamplerConfig()),
        "two-stage": TwoStageVAESampler(model, TwoStageVAESamplerConfig()),
    }


if __name__ == "__main__":
    main()
