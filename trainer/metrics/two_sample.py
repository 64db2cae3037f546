"""The classifier two-sample test: how often a classifier tells two sets of pictures apart."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FOLDS = 3
MOST = 10_000  # rows of either side: the accuracy is known to 0.4 % by so many, and training takes seconds
HIDDEN = 64
BATCH = 256
EPOCHS = 15  # at least
STEPS = 200  # at least: of few rows an epoch has few
LEARNING_RATE = 3e-3
DECAY = 0.3


def two_sample_accuracy(first: np.ndarray, second: np.ndarray, seed: int = 0) -> float:
    """Return the cross-validated accuracy of a classifier that tells two sets apart (Lopez-Paz and Oquab 2017).

    A network of one hidden layer learns from standardized rows of all parts but one, and is asked about that one. The test errs
    on one side only: an accuracy above 0.5 is a difference, one of 0.5 may be a difference that this classifier does not see.

    Args:
        first: float [n, f], n at least `FOLDS`.
        second: float [m, f], m at least `FOLDS`. Of the larger set as many rows are taken as of the smaller one, `MOST` at most.
            Where both have as many rows, those of the same number stay together: a rebuilt picture and its original are never on
            different sides of the cross-validation, where each would give the other away.
        seed: Of the choice of rows, the parts and the classifier.

    Returns:
        Mean of the shares of both sets that it names right: 0.5 where nothing tells them apart, 1 where each row is recognized.

    Raises:
        ValueError: Rows are not finite, or too few.
    """
    n = min(len(first), len(second), MOST)
    if n < FOLDS:
        raise ValueError(f"a two-sample test takes at least {FOLDS} pictures on either side, not {n}")
    sets = [np.asarray(one, np.float32)[np.random.default_rng(seed).permutation(len(one))[:n]] for one in (first, second)]
    part = np.arange(n) % FOLDS
    right = []
    for fold in range(FOLDS):
        train, test = (np.concatenate([one[chosen] for one in sets]) for chosen in (part != fold, part == fold))
        is_second = [np.repeat([False, True], len(rows) // 2) for rows in (train, test)]
        right.append(_fit(train, is_second[0], seed).predict(test) == is_second[1])
    return float(np.concatenate(right).mean())


def accuracy_spread(accuracy: float, rows: int) -> float:
    """Return the standard deviation of a two-sample accuracy by the choice of the second set's rows: that of a share, halved."""
    return float(np.sqrt(accuracy * (1 - accuracy) / min(rows, MOST)) / 2)


def _fit(rows: np.ndarray, is_second: np.ndarray, seed: int) -> Pipeline:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    batch = min(BATCH, max(1, len(rows) // 4))
    network = MLPClassifier(
        (HIDDEN,),
        alpha=DECAY,
        learning_rate_init=LEARNING_RATE,
        batch_size=batch,
        max_iter=max(EPOCHS, -(-STEPS * batch // len(rows))),
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is to stop early
        return make_pipeline(StandardScaler(), network).fit(rows, is_second)
