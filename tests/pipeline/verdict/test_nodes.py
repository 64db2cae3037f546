"""What a run says of a component, on the console and in its verdict."""

import json

from pipeline.verdict.nodes import summarize
from pipeline.verdict.outcomes import NodeOutcome, Output
from pipeline.verdict.verdict import Verdict


def added(outcome):
    """The verdict of a run with one component."""
    verdict = Verdict(run="r", title="t", images="i", started="s")
    verdict.add(outcome.name, outcome.state, outcome.seconds, summarize(outcome).parts)
    return verdict


def searched(folder, objective, *trials):
    """The outcome of a Tuner."""
    found = {"objective": objective, "best": 2, "trials": [{"number": i, **t} for i, t in enumerate(trials, start=1)]}
    (folder / "trials.json").write_text(json.dumps(found))
    return NodeOutcome("Tuner", "done", 3.0, {"tuner_results": Output(str(folder), {})})


def test_a_search(tmp_path):
    values = {"model.hidden": [64, 64], "training.learning_rate": 0.0012345, "model.prior": "vampprior"}
    outcome = searched(
        tmp_path, "elbo", {"state": "failed", "elbo": None, "values": {}}, {"state": "done", "elbo": -12.345, "values": values}
    )
    assert summarize(outcome).text == (
        "trial 2 of 2 is the best: ELBO -12.35 nats with hidden [64, 64], learning_rate 0.00123, prior vampprior; 1 failed"
    )
    verdict = added(outcome)
    best = {"trial": 2, "score": -12.345, "values": values}
    assert verdict.tuning == {"trials": 2, "failed": 1, "objective": "elbo", "best": best}


def test_a_search_by_bits(tmp_path):
    trial = {"state": "done", "bits_per_dimension": 3.14159, "values": {"model.latent_dim": 3}}
    outcome = searched(tmp_path, "bits_per_dimension", trial, trial)
    assert summarize(outcome).text == "trial 2 of 2 is the best: 3.142 bits per dimension with latent_dim 3"


def judged(folder, blessed, **record):
    """The outcome of a ModelGate."""
    (folder / "blessing.json").write_text(json.dumps({"forced": None, "failures": [], **record}))
    return NodeOutcome("ModelGate", "done", 0.1, {"blessing": Output(str(folder), {"blessed": blessed})})


def test_what_the_model_gate_could_not_judge(tmp_path):
    reason = "new pictures were not judged: there are only 12 test pictures; at least 50 are needed"
    outcome = judged(tmp_path, 1, unjudged=[reason])
    assert summarize(outcome).text == f"passed; {reason}"
    verdict = added(outcome)
    assert verdict.unjudged == [reason] and verdict.overruled == []


def test_a_gate_that_judged_all_says_no_more(tmp_path):
    assert summarize(judged(tmp_path, 0, failures=["fog"], unjudged=[])).text == "refused"
    assert summarize(judged(tmp_path, 1)).text == "passed", "a blessing of an earlier version"


def trained(folder, mirroring):
    """The outcome of a Trainer."""
    metrics = {"eval": {"elbo": -3.0, "reconstruction": 2.0, "kl": 1.0}, "mirroring": mirroring}
    metrics |= {"best_epoch": 1, "epochs": 2, "images_per_second": 10.0}
    (folder / "Format-Serving").mkdir(exist_ok=True)
    (folder / "Format-Serving" / "metrics.json").write_text(json.dumps(metrics))
    return NodeOutcome("Trainer", "done", 3.0, {"model": Output(str(folder), {})})


def test_the_trainer_says_whether_pictures_were_mirrored_and_why_not(tmp_path):
    plain = summarize(trained(tmp_path, None)).text
    assert plain.endswith("10 images/s")
    assert summarize(trained(tmp_path, {"mirrored": True, "reason": ""})).text == f"{plain}, mirrored pictures too"
    reason = "30 pictures are too few to tell, 500 are needed"
    assert summarize(trained(tmp_path, {"mirrored": False, "reason": reason})).text == f"{plain}, not mirrored: {reason}"
