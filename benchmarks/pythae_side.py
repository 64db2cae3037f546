"""Measure pythae for `benchmarks.throughput`. The script runs in a separate environment, and does not import this project.

It trains pythae's VAE with its default MLPs on random 28x28 pictures, with the training step of pythae's own trainer, and prints
images per second.

Run by path: python pythae_side.py '{"hidden": 512, "latent_dim": 40, "batch": 256, "seconds": 4}'
"""

import json
import sys
import time

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from torch.utils.data import DataLoader


def main() -> None:
    """Train for the given number of seconds, and print the speed."""
    asked = json.loads(sys.argv[1])
    torch.manual_seed(0)
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=asked["latent_dim"], reconstruction_loss="bce")
    model = VAE(config)
    widths = {layer.out_features for layer in model.modules() if isinstance(layer, torch.nn.Linear)}
    assert asked["hidden"] in widths, f"pythae's layers are {widths} wide"
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    pictures = BaseDataset(torch.rand(10_000, 1, 28, 28), torch.zeros(10_000))
    loader = DataLoader(pictures, batch_size=asked["batch"], shuffle=True, drop_last=True)

    def epochs():
        while True:
            yield from loader

    batches, begin, done = epochs(), None, 0
    for step, batch in enumerate(batches):
        if step == 5:
            begin = time.perf_counter()
        optimizer.zero_grad()
        model(batch).loss.backward()
        optimizer.step()
        if begin is not None:
            done += asked["batch"]
            if time.perf_counter() - begin > asked["seconds"]:
                break
    sys.stdout.write(f"{done / (time.perf_counter() - begin)}\n")


if __name__ == "__main__":
    main()
