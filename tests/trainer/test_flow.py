"""The flow: draws against the distribution of the codes, its fit, its checkpoint, and its graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer import flow
from trainer.checkpoint import Checkpoint, Course
from trainer.flow import Flow, FlowSettings

SETTINGS = FlowSettings(updates=400, steps=12, seed=1)


def two_islands(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes in 3 dimensions, and labels: the first is about -2 or 2, as its label says; the second moves with it."""
    rng = np.random.default_rng(seed)
    labels, codes = rng.integers(0, 2, count), rng.standard_normal((count, 3))
    codes[:, 0] = 4.0 * labels - 2 + 0.2 * codes[:, 0]
    codes[:, 1] += codes[:, 0]
    return codes, labels.astype(np.int32)


def normal(count: int, seed: int = 0) -> tf.Tensor:
    return tf.random.stateless_normal([count, 3], [seed, 7])


@pytest.fixture(scope="module")
def islands() -> Flow:
    """A conditional flow of both islands."""
    (codes, labels), (others, other_labels) = two_islands(1500, 0), two_islands(300, 1)
    return Flow.fit(codes, others, SETTINGS, (labels, other_labels), 2)


def test_draws_are_spread_as_codes_are(islands: Flow) -> None:
    codes, labels = two_islands(1500, 2)
    drawn = islands.draw(normal(1500), None, tf.one_hot(labels, 2)).numpy()
    np.testing.assert_allclose(drawn.mean(axis=0), codes.mean(axis=0), atol=0.2)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(codes.T), atol=0.4)
    drawn = islands.draw(normal(1500), None).numpy()  # without a label
    np.testing.assert_allclose(drawn.mean(axis=0), codes.mean(axis=0), atol=0.2)
    assert (np.abs(drawn[:, 0]) < 1).mean() < 0.12, "between the islands there is next to nothing; of normal codes a third is there"


def test_draws_of_a_flow_that_has_learned_little_have_the_moments_of_the_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many dimensions with heavy tails, and one that is the same in all codes, after a few updates."""
    rng = np.random.default_rng(0)
    codes = (rng.standard_normal((600, 1)) * rng.standard_normal((600, 40)) + 5.0).astype(np.float32)
    codes[:, 7] = 3.0
    noise = tf.random.stateless_normal([2000, 40], [3, 7])
    drawn = Flow.fit(codes, codes[:100], FlowSettings(150, 6)).draw(noise, None).numpy()
    np.testing.assert_allclose(drawn.mean(axis=0), codes.mean(axis=0), atol=0.12)
    np.testing.assert_allclose(drawn.std(axis=0), codes.std(axis=0), rtol=0.08, atol=0.02)
    monkeypatch.setattr(Flow, "match_moments", lambda *_: None)
    unscaled = Flow.fit(codes, codes[:100], FlowSettings(150, 6)).draw(noise, None).numpy()
    ratio = np.delete(unscaled.std(axis=0), 7) / np.delete(codes.std(axis=0), 7)
    assert ratio.mean() < 0.9, "what a learned mean does to the deviation"


def test_draws_of_a_label_are_where_its_codes_are(islands: Flow) -> None:
    for label, sign in ((0, -1), (1, 1)):
        drawn = islands.draw(normal(500), None, tf.one_hot(tf.fill([500], label), 2)).numpy()
        assert (sign * drawn[:, 0] > 0).mean() > 0.97


def test_the_noise_decides_all_and_each_row_by_itself(islands: Flow) -> None:
    noise = normal(20)
    drawn = islands.draw(noise, tf.constant([0, 1])).numpy()
    np.testing.assert_array_equal(drawn, islands.draw(noise, tf.constant([5, 6])).numpy())
    np.testing.assert_allclose(drawn[:7], islands.draw(noise[:7], None), atol=1e-4)


def test_unfitted_it_is_the_normal_distribution_of_the_codes() -> None:
    """Of the codes' means and deviations, by a solver that is exact in the limit."""
    mean, deviation = np.array([1.0, -2.0, 0.0]), np.array([2.0, 0.5, 1.0])
    untrained = Flow(mean, deviation, 0, FlowSettings(1, 64))
    noise = normal(50)
    np.testing.assert_allclose(untrained.draw(noise, None), mean + noise.numpy() * deviation, atol=2e-2)


def test_the_loss_of_normal_codes_is_known_before_any_fit() -> None:
    """E|v - (u - noise)|^2 of the best velocity is 1 / (t^2 + (1-t)^2) where codes are N(0, 1)."""
    untrained = Flow(np.zeros(3), np.ones(3), 0, FlowSettings(1, 4))
    for t in (0.0, 0.3, 0.9):
        loss = untrained.loss(normal(40_000, 1), normal(40_000, 2), tf.fill([40_000, 1], t))
        assert tf.reduce_mean(loss).numpy() == pytest.approx(1 / (t**2 + (1 - t) ** 2), rel=0.03)


def few(monkeypatch: pytest.MonkeyPatch, seed: int = 3, checkpoint: Checkpoint | None = None) -> np.ndarray:
    """Draws of a flow of 75 updates, with a look at the held-out loss after each 25."""
    monkeypatch.setattr(flow, "EVERY", 25)
    codes, others = two_islands(200, 0)[0], two_islands(50, 1)[0]
    return Flow.fit(codes, others, FlowSettings(75, 4, seed), checkpoint=checkpoint).draw(normal(5), None).numpy()


def test_the_same_seed_gives_the_same_flow_even_where_it_was_killed_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, saved = Checkpoint(tmp_path, "training").beside("flow"), []

    def killed(course: Course, variables: list[np.ndarray]) -> None:
        Checkpoint.save(checkpoint, course, variables)
        saved.append(course.epoch)
        raise KeyboardInterrupt

    whole = few(monkeypatch)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "save", killed)
        few(monkeypatch, checkpoint=checkpoint)
    assert saved == [25]
    np.testing.assert_array_equal(few(monkeypatch, checkpoint=checkpoint), whole)
    assert np.abs(few(monkeypatch, seed=4) - whole).max() > 1e-4


def test_it_stops_before_it_knows_the_codes_by_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten codes can be learned by heart, and nothing else can be learned of them."""
    monkeypatch.setattr(flow, "EVERY", 25)
    done: list[int] = []
    monkeypatch.setattr(flow, "report_progress", lambda *_, **progress: done.append(progress["done"]))
    rng = np.random.default_rng(0)
    Flow.fit(rng.standard_normal((10, 3)), rng.standard_normal((200, 3)), FlowSettings(100_000, 4))
    assert flow.PATIENCE * 25 <= done[-1] < 2000


@pytest.mark.parametrize(("count", "dim"), [(1, 3), (5, 40)])
def test_few_codes_and_any_dimension(count: int, dim: int) -> None:
    codes = np.random.default_rng(0).standard_normal((count, dim))
    fitted = Flow.fit(codes, codes[:1], FlowSettings(5, 3))
    drawn = fitted.draw(tf.random.stateless_normal([4, dim], [0, 0]), None).numpy()
    assert drawn.shape == (4, dim) and np.isfinite(drawn).all()
