"""The compiled pipeline over two spans, each step in a container of the image that the Dockerfile makes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kubeflow.cluster.containers import Containers
from tests.kubeflow.runner import Runner

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def runs(tmp_path_factory, engine, image, store, digits, compiled):
    """Two runs of one file: digits, and other digits whose labels are in disorder, from which no classifier learns."""
    folder = tmp_path_factory.mktemp("cluster")
    levels, labels = digits
    text = compiled(folder, image, "s3://store/pictures/span-{SPAN}", "cluster.push_to=s3://store/models").read_text()
    cluster = Runner(folder / "cluster", store.environment, Containers(engine, folder / "claims"))
    found = []
    for number, chosen in ((1, slice(0, 450)), (2, slice(450, 900))):
        shuffled = labels[chosen] if number == 1 else np.random.default_rng(0).permutation(labels[chosen])
        store.add_span(number, levels[chosen], shuffled)
        found.append(cluster.run(text, f"run-{number}"))
    return found


def states(tasks) -> dict[str, str]:
    return {name: task.state for name, task in tasks.items()}


def test_a_first_span_is_pushed(runs, store):
    first = runs[0]
    assert set(states(first).values()) == {"SUCCEEDED"}, [task.said[-2000:] for task in first.values() if task.state == "FAILED"]
    ended = store.verdicts()["run-1"]
    assert (ended["outcome"], ended["status"], ended["model"]["version"]) == ("pushed", 0, 1)


def test_a_refused_model_fails_a_step_within_the_graph(runs, store):
    second = runs[1]
    assert states(second)["Trainer"] == "SUCCEEDED", {task.name: task.said[-2000:] for task in second.values() if task.status}
    ended = store.verdicts()["run-2"]
    assert (ended["outcome"], ended["gate"], ended["status"]) == ("refused", "model", 3), ended
    assert (second["Verdict"].state, second["Verdict"].status, second["Verdict"].tries) == ("FAILED", 3, 1)
    assert {task.name for task in second.values() if task.state == "FAILED"} == {"Verdict", "tfx-dag"}, "and so the graph"
    assert store.versions() == {"1"}


def test_no_step_says_a_secret(runs, store):
    said = "".join(task.said for tasks in runs for task in tasks.values())
    assert said and store.environment["AWS_SECRET_ACCESS_KEY"] not in said
