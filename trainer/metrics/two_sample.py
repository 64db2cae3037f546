"""The classifier two-sample test: the accuracy of a classifier that distinguishes two sets of images."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FOLDS = 3
MAX_ROWS = 10_000  # rows of each set: so many give the accuracy to 0.4 %, and training takes seconds
HIDDEN = 64
BATCH = 256
EPOCHS = 15  # minimum
STEPS = 200  # minimum, because few rows give few steps per epoch
LEARNING_RATE = 3e-3
DECAY = 0.3


def two_sample_accuracy(first: np.ndarray, second: np.ndarray, seed: int = 0) -> float:
    """Return the cross-validated accuracy of a classifier that distinguishes two sets (Lopez-Paz and Oquab 2017).

    It is 0.5 if the sets cannot be distinguished, and 1 if every row is recognized.

    A network with one hidden layer learns from the standardized rows of all parts except one, and is tested on that one. The test
    is conservative: an accuracy above 0.5 shows a difference, but at 0.5 there may be a difference that this classifier misses.

    Args:
        first: float [n, f], n at least `FOLDS`.
        second: float [m, f], m at least `FOLDS`. Both sets are cut to the size of the smaller one, and to `MAX_ROWS` rows at most.
            If both have the same size, rows of the same index stay together. So a reconstruction and its original are never on
            different sides of the cross-validation, where each would give the other away.
        seed: Seed of the choice of rows, of the parts and of the classifier.

    Raises:
        ValueError: Rows are not finite, or too few.
    """
    n = min(len(first), len(second), MAX_ROWS)
    if n < FOLDS:
        raise ValueError(f"a two-sample test takes at least {FOLDS} pictures on either side, not {n}")
    sets = [np.asarray(rows, np.float32)[np.random.default_rng(seed).permutation(len(rows))[:n]] for rows in (first, second)]
    part = np.arange(n) % FOLDS
    right = []
    for fold in range(FOLDS):
        train, test = (np.concatenate([rows[chosen] for rows in sets]) for chosen in (part != fold, part == fold))
        is_second = [np.repeat([False, True], len(rows) // 2) for rows in (train, test)]
        right.append(_fit(train, is_second[0], seed).predict(test) == is_second[1])
    return float(np.concatenate(right).mean())


def accuracy_spread(accuracy: float, rows: int) -> float:
    """Return the standard deviation of an accuracy over choices of the second set, for `rows` rows in each set.

    It is half the standard deviation of a share of `rows` rows.

    Example:
        >>> round(accuracy_spread(0.8, rows=400), 3)
        0.01
    """
    return float(np.sqrt(accuracy * (1 - accuracy) / min(rows, MAX_ROWS)) / 2)


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
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is intended
        return make_pipeline(StandardScaler(), network).fit(rows, is_second)
