"""How a run on a server came out: its verdict in a registry on S3 or in a folder, and what is said where that cannot be read."""

from __future__ import annotations

import socket

import pytest

from kubeflow.compile.packages import read_package
from kubeflow.server.outcome import GATES, NotRead, Outcome, outcome_of, read_verdict
from kubeflow.server.submission import Ending
from pipeline.verdict.status import Status
from pipeline.verdict.verdict import Verdict
from tests.emulators.s3 import s3_server
from tests.kubeflow.tiny_pipeline import write_judging, write_pipeline

RUN = "5b0a2c1e-0000-4000-8000-000000000000"
WELL, ILL = Ending("SUCCEEDED", ""), Ending("FAILED", "failed: Trainer, executor, root", ("Trainer", "executor", "root"))
REASONS = ["ELBO is 2.38 nats worse than the last blessed model's; 0.60 is allowed", "KL divergence is 0.02 nats"]


def judged(status: Status, gate: str | None = None, reasons: list[str] | None = None) -> Verdict:
    """A verdict as a run leaves it."""
    verdict = Verdict(run=RUN, title="cats", images="s3://bucket/cats", started="2026-01-01T00:00:00+00:00")
    verdict.end(status, gate, reasons)
    return verdict


def outcome(folder, ending, verdict=None):
    """What is said of a run whose registry is a folder, by the project's own writer of verdicts."""
    from kubeflow.container.records import write_verdict

    registry = folder / "registry"
    registry.mkdir()
    if verdict is not None:
        write_verdict(str(registry), verdict)
    return outcome_of(ending, read_package(write_judging(folder, str(registry))), RUN)


def test_what_a_file_says_of_its_registry_and_steps(tmp_path):
    package = read_package(write_judging(tmp_path, "s3://bucket/registry"))
    assert (package.registry, package.steps) == ("s3://bucket/registry", ("DataGate", "Trainer", "Verdict"))
    package = read_package(write_pipeline(tmp_path))
    assert (package.registry, package.steps) == ("", ("one",))


@pytest.mark.slow
@pytest.mark.parametrize("target", ["kfp", "vertex"])
def test_a_compiled_file_says_so(tmp_path, target):
    from kubeflow.compile.compiler import write
    from tests.kubeflow.compile.test_compiler import CLUSTERS, compiled

    write(compiled(target), target, tmp_path / "cats.yaml")
    package = read_package(tmp_path / "cats.yaml")
    assert package.registry == f"{CLUSTERS[target].push_to}-registry"
    assert {*GATES, "Trainer", "Pusher"} <= set(package.steps) and "Notification" not in package.steps


def test_a_push(tmp_path):
    place = f"{tmp_path}/registry/runs/{RUN}/verdict.json"
    assert outcome(tmp_path, WELL, judged(Status.PUSHED)) == Outcome(Status.PUSHED, place=place)


@pytest.mark.parametrize("ending", [WELL, ILL])
def test_a_refusal_whatever_the_state(tmp_path, ending):
    found = outcome(tmp_path, ending, judged(Status.REFUSED, "model", REASONS))
    assert found.status is Status.REFUSED
    assert found.why.startswith(f"model gate: {REASONS[0]}; {REASONS[1]} (see {tmp_path}/registry/runs/{RUN}/verdict.json")


@pytest.mark.parametrize("status", [Status.MISTAKE, Status.FAULT])
def test_a_fault_and_a_mistake_have_their_reasons(tmp_path, status):
    found = outcome(tmp_path, ILL, judged(status, None, ["Trainer: MemoryError: no room"]))
    assert found.status is status and found.why.startswith("Trainer: MemoryError: no room (see ")


def test_a_run_that_failed_after_its_push(tmp_path):
    found = outcome(tmp_path, Ending("CANCELED", ""), judged(Status.PUSHED))
    assert found.status is Status.FAULT and found.why.startswith("the run ended CANCELED, though ")


def test_without_a_verdict_the_state_decides(tmp_path):
    found = outcome(tmp_path, ILL)
    assert (found.status, found.why, found.place) == (Status.FAULT, "the run ended FAILED, failed: Trainer", "")
    assert found.note.startswith("cannot be read from here, so the run's state decides: there is none, ") and len(found.note) < 190


@pytest.mark.parametrize(
    ("failed", "status"),
    [
        (("Verdict",), Status.REFUSED),
        (("DataGate", "Notification"), Status.REFUSED),
        (("Trainer",), Status.FAULT),
        (("Trainer", "Verdict"), Status.FAULT),
        ((), Status.FAULT),
    ],
)
def test_without_a_verdict_a_gate_that_failed_alone_has_refused(tmp_path, failed, status):
    """A server does not say with which status a step ended, and counts graphs and pods among the tasks."""
    ending = Ending("FAILED", "", (*failed, "darkroom-x7k2p", "executor", "root", "tfx-dag"))
    found = outcome_of(ending, read_package(write_judging(tmp_path, "/mnt/of-the-cluster/registry")), RUN)
    assert (found.status, found.place) == (status, "")
    assert found.note.endswith("/mnt/of-the-cluster/registry is no folder of this machine")
    if status is Status.REFUSED:
        assert found.why == f"the step {failed[0]} failed, as it does where a gate refuses; its log says why"


def test_another_pipelines_run_goes_by_its_state(tmp_path):
    package = read_package(write_pipeline(tmp_path))
    assert outcome_of(WELL, package, RUN) == Outcome(Status.PUSHED)
    assert outcome_of(ILL, package, RUN) == Outcome(Status.FAULT, "the run ended FAILED, failed: Trainer, executor, root")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"status": 9}', "{}", '{"status": null}'])
def test_what_is_no_verdict(tmp_path, text):
    (tmp_path / "registry/runs/a").mkdir(parents=True)
    place = tmp_path / "registry/runs/a/verdict.json"
    place.write_text(text)
    with pytest.raises(NotRead, match="is none that this version knows"):
        read_verdict(str(place))


def test_a_registry_on_s3(tmp_path, monkeypatch):
    with s3_server("bucket") as (client, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        package = read_package(write_judging(tmp_path, "s3://bucket/cats-registry"))
        found = outcome_of(WELL, package, RUN)
        place = f"s3://bucket/cats-registry/runs/{RUN}/verdict.json"
        assert found.status is Status.PUSHED and "there is none, s3://bucket/cats-registry/" in found.note
        body = judged(Status.REFUSED, "data", ["12 of 40 pictures are black"]).to_json().encode()
        client.put_object(Bucket="bucket", Key=place.removeprefix("s3://bucket/"), Body=body)
        found = outcome_of(WELL, package, RUN)
        assert found == Outcome(Status.REFUSED, f"data gate: 12 of 40 pictures are black (see {place})", place)
        with pytest.raises(NotRead, match="there is no bucket s3://elsewhere"):
            read_verdict("s3://elsewhere/runs/a/verdict.json")


def test_a_store_that_never_answers(tmp_path, monkeypatch):
    """It takes the connection, and says nothing: as where a firewall is in between."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "none")
        package = read_package(write_judging(tmp_path, "s3://bucket-behind-a-wall/registry"))
        found = outcome_of(WELL, package, RUN, seconds=0.5)
    assert found.status is Status.PUSHED
    assert found.note.endswith("s3://bucket-behind-a-wall/registry has not answered within 0.5 seconds")
