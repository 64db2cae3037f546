"""The search for hyperparameters on a few bars."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import pytest

import trainer.tuning.search
from common.errors import InputError
from common.progress import LOGGER
from tests.trainer.tiny import CONFIG, labelled_bars
from trainer.config import TrainerConfig
from trainer.tuning.config import TuningConfig
from trainer.tuning.search import Search
from trainer.tuning.trials import Trials

RATES = {"training.learning_rate": [1e-2, 1e-6]}


def search(folder: Path, space: dict, config: TrainerConfig = CONFIG, **fields: object) -> Trials:
    """What came of a search among models trained for a few epochs."""
    tuning = TuningConfig(**{"trials": 3, "epochs": 8, "space": space, **fields})
    made = Search(config, tuning, 2, str(folder))
    try:
        made.search(labelled_bars(64), labelled_bars(30, seed=1))
    finally:
        made_results.append(made.results)
    return made.results


made_results: list[Trials] = []  # also of searches that raised


def test_a_good_learning_rate_is_told_from_a_bad_one(tmp_path: Path) -> None:
    found = search(tmp_path, RATES)
    assert len(found.trials) == 2, "there are no more than two choices"
    assert found.best.values == {"training.learning_rate": 1e-2}
    good, bad = sorted(found.trials, key=lambda trial: -trial.elbo)
    assert good.elbo > bad.elbo + 1
    for trial in found.trials:
        assert trial.state == "done" and trial.epochs == 8 and 1 <= trial.best_epoch <= 8 and trial.seconds > 0
        assert trial.elbo == pytest.approx(-(trial.reconstruction + trial.kl))
    assert found.to_dict()["best"] == found.best.number and found.pictures == {"train": 64, "eval": 30}


def test_the_configurations_own_values_come_first_and_the_seed_decides_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"elbo": -1.0, "reconstruction": 1.0, "kl": 0.0, "epochs": 1, "best_epoch": 1}
    monkeypatch.setattr(Search, "_train", lambda *_: figures)
    space = {
        "model.latent_dim": [1, 2, 3],
        "model.hidden": [8, [16], [8, 8]],
        "training.beta": {"min": 0.5, "max": 2.0, "scale": "log"},
    }
    other = dataclasses.replace(CONFIG, training=dataclasses.replace(CONFIG.training, seed=5))
    one, two, three = (
        [trial.values for trial in search(tmp_path / str(i), space, config, trials=5).trials]
        for i, config in enumerate((CONFIG, CONFIG, other))
    )
    assert one[0] == three[0] == {"model.latent_dim": 2, "model.hidden": (16,), "training.beta": 1.0}
    assert one == two and one[1:] != three[1:]
    assert len({str(values) for values in one}) == 5


def test_the_same_trial_ends_the_same(tmp_path: Path) -> None:
    one, two = (search(tmp_path / name, {"training.beta": [1.0]}, epochs=1).trials for name in ("one", "two"))
    assert [dataclasses.replace(trial, seconds=0) for trial in one] == [dataclasses.replace(trial, seconds=0) for trial in two]


def test_trials_are_compared_at_beta_1(tmp_path: Path) -> None:
    """And not by the loss, which is lower where the code costs nothing."""
    found = search(tmp_path, {"training.beta": [1.0, 0.0]})
    assert found.best.values == {"training.beta": 1.0}
    assert found.trials[1].elbo == pytest.approx(-(found.trials[1].reconstruction + found.trials[1].kl))


def test_a_trial_that_diverges_is_a_failed_one(tmp_path: Path) -> None:
    found = search(tmp_path, {"training.learning_rate": [1e30, 1e-2]}, CONFIG)
    failed = next(trial for trial in found.trials if trial.state == "failed")
    assert failed.values == {"training.learning_rate": 1e30} and "diverged" in failed.reason and failed.elbo is None
    assert found.best.values == {"training.learning_rate": 1e-2}


def test_values_that_do_not_go_together_fail_without_ending_the_search(tmp_path: Path) -> None:
    found = search(tmp_path, {"model.network": ["dense", "hierarchical"]})
    assert [trial.state for trial in found.trials] == ["done", "failed"]
    assert "top_latent_dim" in found.trials[1].reason


def test_where_every_trial_fails_the_last_reason_is_told(tmp_path: Path) -> None:
    space = {"training.learning_rate": {"min": 1e30, "max": 1e32, "scale": "log"}}
    with pytest.raises(InputError, match="none of 4 trials .* diverged .* narrow tuning.space"):
        search(tmp_path, space, trials=4)
    assert [trial.state for trial in made_results[-1].trials] == ["failed"] * 4


def test_a_fault_of_the_program_ends_the_search_as_it_was_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer.tuning.search, "VAE", None)
    with pytest.raises(TypeError, match="NoneType"):
        search(tmp_path, RATES)


def test_likelihoods_are_compared_by_bits_of_grey_levels(tmp_path: Path) -> None:
    names = ["bernoulli", "gaussian"]
    found = search(tmp_path, {"model.likelihood": names}, objective="bits_per_dimension")
    assert {trial.values["model.likelihood"] for trial in found.trials} == set(names)
    # By their own nats the density would win or lose by its unit; as probabilities of levels both are below 8 bits or near.
    assert all(3 < trial.bits_per_dimension < 12 for trial in found.trials)
    assert found.best.bits_per_dimension == min(trial.bits_per_dimension for trial in found.trials)


def test_bayesian_proposals_follow_random_ones_stay_inside_and_do_not_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def figures(self: Search, values: dict, *_: object) -> dict:
        """Better the more latent dimensions there are: proposals go to the end of the range."""
        return {"elbo": float(values["model.latent_dim"]), "reconstruction": 1.0, "kl": 0.0, "epochs": 1, "best_epoch": 1}

    monkeypatch.setattr(Search, "_train", figures)
    found = search(tmp_path, {"model.latent_dim": {"min": 1, "max": 9, "scale": "log"}}, trials=6, algorithm="bayesian")
    tried = [trial.values["model.latent_dim"] for trial in found.trials]
    assert len(set(tried)) == 6 and found.best.values["model.latent_dim"] == max(tried) == 9


def test_progress_is_that_of_the_search(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER):
        found = search(tmp_path, RATES)
    seen = [record.progress for record in caplog.records if record.name == LOGGER]
    assert {progress.step for progress in seen} == {"search"}
    shares = [progress.done / progress.total for progress in seen]
    assert shares == sorted(shares) and 0.5 < shares[-1] <= 1
    assert seen[0].figures == {"trial": 1, "of": 3}
    assert seen[-1].figures == {"trial": 2, "of": 3, "best ELBO": found.trials[0].elbo}


def test_conditional_models_see_their_labels_in_trials_too(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, conditional=True))
    (trial,) = search(tmp_path, {"model.latent_dim": [2]}, config).trials
    (plain,) = search(tmp_path / "plain", {"model.latent_dim": [2]}).trials
    assert trial.state == "done" and trial.elbo != plain.elbo
