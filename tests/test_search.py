"""A search for hyperparameters from the command line to the pushed model."""

import pytest
import yaml

from tests.project import darkroom, last_verdict, write_discs

QUICK = {"training": {"epochs": 8}, "model": {"hidden": [64], "latent_dim": 3}}
TUNING = {
    "trials": 3,
    "epochs": 3,
    "space": {"model.latent_dim": [2, 3], "training.learning_rate": [1e-3, 1e30]},
}


class Searches:
    """Runs in one work folder, on discs."""

    def __init__(self, folder):
        self.folder, self.images, self.work = folder, folder / "discs", folder / "work"
        write_discs(self.images, 200)

    def run(self, **tuning):
        config = self.folder / "config.yaml"
        config.write_text(yaml.safe_dump({**QUICK, "tuning": tuning}))
        return darkroom("run", "--images", self.images, "--work", self.work, "--config", config)

    def pushed(self, name):
        newest = max((self.work / "serving").iterdir(), key=lambda path: int(path.name))
        return yaml.safe_load((newest / name).read_text())


@pytest.fixture(scope="module")
def searches(tmp_path_factory):
    return Searches(tmp_path_factory.mktemp("search"))


@pytest.fixture(scope="module")
def searched(searches):
    """How the first search ended."""
    return searches.run(**TUNING)


@pytest.mark.slow
def test_the_best_values_train_the_model_that_is_pushed(searches, searched):
    ended = searched
    assert ended.status == 0, ended.out + ended.err
    assert ended.states()["Tuner"] == "done" and "of 3 is the best: ELBO -" in ended.out
    found = last_verdict(searches.work)["tuning"]
    best = found["best"]["values"]
    assert found["trials"] == 3 and found["failed"] >= 1 and best["training.learning_rate"] == 1e-3
    used = searches.pushed("config.yaml")
    assert used["model"]["latent_dim"] == best["model.latent_dim"] == searches.pushed("model.json")["latent_dim"]
    assert used["training"]["learning_rate"] == 1e-3 and used["training"]["epochs"] == 8
    page = (searches.work / "report" / "index.html").read_text()
    assert "Hyperparameter search" in page and 'class="marked"' in page and "training diverged" in page
    again = searches.run(**TUNING)
    assert set(again.states().values()) == {"cached"}, again.out
    assert last_verdict(searches.work)["tuning"] == found


@pytest.mark.slow
def test_models_of_another_likelihood_are_no_baseline_though_the_configuration_names_the_same(searches, searched):
    assert searched.status == 0
    space = {"model.likelihood": ["discretized_logistic_mixture"]}
    ended = searches.run(trials=1, epochs=1, objective="bits_per_dimension", space=space)
    assert ended.status == 0, ended.out + ended.err
    assert searches.pushed("model.json")["likelihood"] == "discretized_logistic_mixture"
    assert last_verdict(searches.work)["baseline"] == {}
    plain = searches.run()
    assert plain.status == 0 and "Tuner" not in plain.states()
    verdict = last_verdict(searches.work)
    assert verdict["tuning"] == {} and verdict["baseline"]["elbo"] < 0, "the last one with the configuration's own likelihood"
    assert "Hyperparameter search" not in (searches.work / "report" / "index.html").read_text()


@pytest.mark.slow
def test_a_search_in_which_all_trials_fail_is_the_configurations_mistake(searches):
    ended = searches.run(trials=2, epochs=1, space={"training.learning_rate": {"min": 1e30, "max": 1e31, "scale": "log"}})
    assert ended.status == 2
    assert "invalid: none of 2 trials" in ended.err and "narrow tuning.space" in ended.err
    assert "Trainer" not in ended.states()


def test_a_space_that_makes_no_sense_ends_before_anything_runs(searches):
    ended = searches.run(trials=2, space={"model.likelihood": ["gaussian", "bernoulli"]})
    assert ended.status == 2 and len(ended.err.splitlines()) == 1
    assert "tuning.space.model.likelihood" in ended.err and "bits_per_dimension" in ended.err
