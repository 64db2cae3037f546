"""Two runs side by side: what is said of their differences, and the page."""

from __future__ import annotations

import dataclasses

import pytest

from components.report.beside import Comparison, Side
from components.report.comparison import render_comparison
from components.report.sections.differences import cells, compare

PNG = b"\x89PNG\r\n\x1a\n"
OLD = Side(
    name="version 1",
    run="20260101-000000",
    outcome="pushed",
    figures={"elbo": -24.0, "kl": 3.0, "reconstruction": 21.0},
    quality={
        "generated": {"frechet_distance": 14.0, "coverage": 0.8, "features_hash": "f", "held_out_hash": "h", "pictures": 99},
        "spread": {"frechet_distance": 1.0},
    },
    config={"training.epochs": 20, "model.likelihood": "bernoulli", "notify.on": "end", "model.hidden": [9, 9]},
    data={"pictures": {"train": 90, "eval": 10}, "rejected": 0, "duplicates": 0},
    seed_spread=0.1,
    fingerprint="a" * 64,
    code="c" * 16,
    pictures={"generated.png": PNG},
)


def changed(**fields: object) -> Side:
    return dataclasses.replace(OLD, name="version 2", run="20260102-000000", **fields)


def elbo(value: float) -> Comparison:
    return compare(OLD, changed(figures={**OLD.figures, "elbo": value}))


def test_a_difference_counts_beyond_the_noise_of_training() -> None:
    """The noise of a difference is 0.14 nats: the spread over seeds times the square root of 2."""
    assert elbo(-23.75).state == "same" and elbo(-24.25).state == "same"
    assert "Version 2 is as good as version 1: its ELBO is 0.25 nats higher; the noise of training is 0.14" in elbo(-23.75).sentence
    assert elbo(-23.6).state == "better" and elbo(-24.4).state == "worse"
    assert "Version 2 is worse than version 1: its ELBO is 0.40 nats lower" in elbo(-24.4).sentence
    unknown = compare(dataclasses.replace(OLD, seed_spread=None), changed(figures={"elbo": -20.0}, seed_spread=None))
    assert unknown.state == "unknown" and "the noise of training was not measured" in unknown.sentence


def test_figures_that_mean_something_else_are_not_compared() -> None:
    other = compare(OLD, changed(config={**OLD.config, "model.likelihood": "gaussian"}))
    assert other.state == "unknown" and "model.likelihood changed" in other.sentence and not other.rows
    failed = compare(OLD, changed(figures={}))
    assert failed.state == "unknown" and "version 2 has no ELBO" in failed.sentence
    generated = {**OLD.quality["generated"], "held_out_hash": "i"}
    elsewhere = compare(OLD, changed(quality={**OLD.quality, "generated": generated}))
    assert elsewhere.quality == [] and "measured on different pictures" in elsewhere.sentence


def test_the_noise_of_new_pictures_is_that_of_both_draws() -> None:
    worse = {**OLD.quality["generated"], "frechet_distance": 17.0}
    (row, *_) = compare(OLD, changed(quality={**OLD.quality, "generated": worse})).quality
    assert row.noise == pytest.approx(2**0.5) and row.change == "worse"
    assert cells(elbo(-24.0))[-1][0] == "coverage"


def test_what_changed() -> None:
    new = changed(
        config={**OLD.config, "training.epochs": 30, "notify.on": "never", "model.hidden": [9]},
        data={"pictures": {"train": 95, "eval": 10, "test": 5}, "rejected": 2, "duplicates": 0},
        fingerprint="b" * 64,
        code="d" * 16,
    )
    assert compare(OLD, new).changes == [
        ("data", "train pictures", "90", "95"),
        ("data", "test pictures", "0", "5"),
        ("data", "rejected", "0", "2"),
        ("data", "input files (fingerprint)", "a" * 12, "b" * 12),
        ("configuration", "training.epochs", "20", "30"),
        ("configuration", "model.hidden", "[9, 9]", "[9]"),
        ("code", "hash of the trainer's code", "c" * 12, "d" * 12),
    ]
    assert compare(OLD, changed()).changes == []


def test_the_page_shows_both_and_everything_is_text() -> None:
    hostile = "<script>alert(1)</script>"
    html = render_comparison(compare(OLD, changed(outcome=hostile, config={**OLD.config, "title": hostile}, pictures={})))
    assert hostile not in html and html.count("&lt;script&gt;alert(1)") == 2
    assert html.count("data:image/png;base64,") == 1 and "This run has none." in html
    assert "http://" not in html.replace("http://www.w3.org", "") and "https://" not in html
    assert 'id="changes"' in html and 'id="figures"' in html and 'id="generated"' in html
