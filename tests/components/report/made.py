"""Report data made up for tests: no TensorFlow, no artifacts."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from typing import Any

import numpy as np

from components.report.data import (
    Answers,
    Codes,
    DataSet,
    Epoch,
    Evaluation,
    Figures,
    Interpolation,
    Layer,
    Manifold,
    ModelFacts,
    Push,
    ReportData,
    Samples,
    Serving,
    SignatureCheck,
    Training,
)

FIGURES = Figures(elbo=-240.0, reconstruction=226.0, kl=14.0, importance_weighted=-236.0, pictures=40)


def pictures(n: int, shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Random pictures uint8 [n, h, w, c]."""
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def report(
    shape: tuple[int, int, int] = (8, 8, 1),
    latent_dim: int = 3,
    labels: tuple[str, ...] = ("ant", "bee"),
    epochs: int = 12,
    points: int = 40,
    **changes: Any,
) -> ReportData:
    """A whole report; `changes` replace its fields."""
    rng = np.random.default_rng(1)
    of = [labels[i % len(labels)] if labels else "" for i in range(points)]
    counts = {label: of.count(label) for label in dict.fromkeys(of)}
    axes = tuple(range(min(2, latent_dim)))
    rows = 4 if latent_dim > 1 else 1
    made = ReportData(
        title="insects",
        when=datetime(2026, 11, 20, 11, 24, tzinfo=timezone.utc),
        data=DataSet(
            pictures={"train": 100, "eval": points},
            labels={"eval": counts},
            formats={"png": points},
            sizes={"8x8x1": points},
            samples=[Samples(label, pictures(3, shape)) for label in list(counts)[:12]],
        ),
        model=ModelFacts(
            shape,
            latent_dim,
            "dense",
            "bernoulli",
            {"encoder": 10, "decoder": 20},
            {"train": 100},
            FIGURES,
            best_epoch=2,
        ),
        training=Training(
            epochs=[
                Epoch(i + 1, Figures(-300.0 + i, 280.0 - i, 20.0), Figures(-301.0 + i, 281.0 - i, 20.0), 1e-3, 1.0)
                for i in range(epochs)
            ],
            encoder=[
                Layer("picture", "InputLayer", shape, 0),
                Layer("mean", "Dense", (latent_dim,), 10),
                Layer("log_variance", "Dense", (latent_dim,), 10),
            ],
            decoder=[Layer("latents", "InputLayer", (latent_dim,), 0), Layer("picture", "Reshape", shape, 20)],
            kl_per_dimension=np.linspace(1, 0, latent_dim),
        ),
        answers=Answers(
            generated=pictures(12, shape),
            originals=pictures(4, shape, 1),
            reconstructions=pictures(4, shape, 2),
            labels=(of * 4)[:4],
            interpolations=[Interpolation(pictures(2, shape), (of[0], of[-1]), pictures(5, shape)) for _ in range(2)],
            codes=Codes(rng.standard_normal((points, latent_dim)), of, pictures(points, shape)),
            manifold=Manifold(pictures(rows * 4, shape).reshape(rows, 4, *shape), axes, np.linspace(-1.7, 1.7, 4)),
        ),
        evaluation=Evaluation(FIGURES, None, dict.fromkeys(labels, FIGURES), True),
        serving=Serving(True, [SignatureCheck("generate", True, 0.0, 3.0)]),
        push=Push(True, "3", "/srv/serving/3"),
        run_id="run-1",
        config="training:\n  epochs: 12\n",
        locations={"model": "/srv/artifacts/model"},
    )
    return dataclasses.replace(made, **changes)
