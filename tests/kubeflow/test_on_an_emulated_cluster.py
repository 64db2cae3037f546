"""The whole pipeline from its YAML alone, each step a process that sees what a pod would: see `tests.kubeflow.runner`."""

from __future__ import annotations

import http.server
import json
import re
import threading

import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.datasets import load_digits

from kubeflow.compile.rules import STOCK
from tests.emulators.s3 import s3_server
from tests.kubeflow.runner import Forks, Nodes, Pod, PodLost, Run, Runner
from tests.project import darkroom

SETTINGS = (
    *("preprocessing.height=8", "preprocessing.width=8", "preprocessing.channels=1"),
    *("training.batch_size=32", "training.epochs=12", "evaluation.max_drop=2", "validation.drift_brightness=0.1"),
    "training.warm_start=true",
    *("cluster.push_to=s3://store/models", "cluster.retries=1", "cluster.name=digits"),
)
IMAGES = "s3://store/pictures/span-{SPAN}"
SECRET = "darkroom-s3"


@pytest.fixture(scope="module")
def store():
    """An S3 store, and the environment by which it is found."""
    with s3_server("store") as (client, environment):
        yield client, environment


@pytest.fixture(scope="module")
def posted():
    """A web server; what is posted to it, as JSON, and its address."""
    found = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            found.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield found, f"http://127.0.0.1:{server.server_port}/secret-path"
        server.shutdown()
        thread.join()


def compiled(folder, *settings) -> str:
    """The YAML that the command writes."""
    options = [option for setting in (*SETTINGS, *settings) for option in ("--set", setting)]
    ended = darkroom("compile", "--images", IMAGES, "--out", folder / "digits.yaml", *options)
    assert ended.status == 0, ended.err
    return (folder / "digits.yaml").read_text()


def add_span(client, number: int, part: slice, invert: bool = False) -> None:
    """Puts some of the digits into a span's folder; its labels are folders."""
    import io

    digits = load_digits()
    levels = np.round(digits.images[part] * 255 / 16).astype(np.uint8)
    for index, (picture, label) in enumerate(zip(255 - levels if invert else levels, digits.target[part])):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        client.put_object(Bucket="store", Key=f"pictures/span-{number}/{label}/{index:04d}.png", Body=buffer.getvalue())


def states(tasks: Run) -> dict[str, str]:
    return {name: task.state for name, task in tasks.items()}


def secret(environment: dict[str, str]) -> str:
    """A setting by which a Secret gives the steps an environment."""
    keys = ", ".join(f"{name}: {name}" for name in environment)
    return f"cluster.secrets=[{{name: {SECRET}, env: {{{keys}}}}}]"


class Drained(Forks):
    """Processes on a node that goes away once, under a step."""

    def __init__(self, step: str):
        self.step = step

    def run(self, pod: Pod) -> tuple[int, str]:
        if self.step and self.step in pod.name:
            self.step = ""
            raise PodLost("the node was drained")
        return super().run(pod)


def verdict(client, run: str) -> dict:
    return json.loads(client.get_object(Bucket="store", Key=f"models-registry/runs/{run}/verdict.json")["Body"].read())


def metrics(client, version: int) -> dict:
    return json.loads(client.get_object(Bucket="store", Key=f"models/{version}/metrics.json")["Body"].read())


def versions(client) -> set[str]:
    keys = [found["Key"] for found in client.list_objects_v2(Bucket="store", Prefix="models/").get("Contents", ())]
    return {match[1] for key in keys if (match := re.fullmatch(r"models/(\d+)/saved_model.pb", key))}


@pytest.mark.slow
def test_from_the_yaml_to_a_pushed_model_and_on_to_the_next_span(tmp_path, store, posted):
    client, environment = store
    received, address = posted
    environment = {**environment, "DARKROOM_WEBHOOK": address}
    cluster = Runner(tmp_path / "cluster", executor=Drained("statisticsgen"), nodes=Nodes({SECRET: environment}))
    text = compiled(tmp_path, secret(environment))

    add_span(client, 1, slice(900))
    first = cluster.run(text, "run-1")
    assert set(states(first).values()) == {"SUCCEEDED"}, [task.said[-2000:] for task in first.values() if task.state == "FAILED"]
    assert first.state == "SUCCEEDED" and first["StatisticsGen"].phases == ["Error", "Succeeded"]
    assert versions(client) == {"1"}
    ended = verdict(client, "run-1")
    assert (ended["outcome"], ended["status"], ended["baseline"]) == ("pushed", 0, {})
    assert ended["model"]["version"] == 1 and sum(ended["data"]["pictures"].values()) == 900
    assert ended["quality"]["generated"]["coverage"] > 0 and ended["quality"]["baseline"] is None and ended["unjudged"] == []
    assert received == [ended]
    assert not metrics(client, 1)["warm_start"], "there was nothing to start from"
    learned = json.loads(client.get_object(Bucket="store", Key="models-registry/blessings/1.json")["Body"].read())
    assert learned["label_accuracy"] > 0.6 and learned["label_pictures"] > 20 and learned["frechet_above_best"] == 0

    # The next span: read though nothing of the file has changed, and judged against the first.
    add_span(client, 2, slice(900, None))
    second = cluster.run(text, "run-2", pipeline_root="s3://elsewhere/root")
    assert second["Trainer"].artifacts["model"].uri.startswith("s3://elsewhere/root/digits/run-2/Trainer/")
    ended = verdict(client, "run-2")
    assert ended["baseline"]["elbo"] < 0, "judged against the model of the first span"
    assert ended["quality"]["baseline"]["frechet_distance"] > 0, "and its new pictures beside those of that one"
    assert ended["outcome"] in ("pushed", "refused") and (ended["outcome"] == "refused") == (ended["gate"] == "model")
    assert versions(client) == ({"1", "2"} if ended["outcome"] == "pushed" else {"1"})
    assert ended["outcome"] == "refused" or metrics(client, 2)["warm_start"]
    # A refusal fails the run by a step within the graph: what an exit handler says counts for nothing.
    assert states(second)["Verdict"] == second.state == ("SUCCEEDED" if ended["outcome"] == "pushed" else "FAILED")
    assert states(second)["Notification"] == "SUCCEEDED"

    # A span that nobody should train on: the gate ends the run, the exit handler tells, the model stays.
    before = versions(client)
    add_span(client, 3, slice(450), invert=True)
    for index in range(40):
        client.put_object(Bucket="store", Key=f"pictures/span-3/0/broken-{index}.png", Body=b"\x89PNG\r\n\x1a\n")
    third = cluster.run(text, "run-3")
    assert states(third)["DataGate"] == "FAILED" and third["DataGate"].status == 3 and third["DataGate"].tries == 1
    assert states(third)["Trainer"] == states(third)["Pusher"] == states(third)["Verdict"] == "SKIPPED"
    assert states(third)["Notification"] == "SUCCEEDED" and third.state == "FAILED"
    ended = verdict(client, "run-3")
    assert (ended["outcome"], ended["gate"]) == ("refused", "data") and any("brightness" in reason for reason in ended["reasons"])
    assert any("(40) cannot be used, up from 0.0% of the last accepted ones" in reason for reason in ended["reasons"]), (
        "by the registry"
    )
    assert versions(client) == before and [one["run"] for one in received] == ["run-1", "run-2", "run-3"]
    everything = "".join(task.said for tasks in (first, second, third) for task in tasks.values())
    assert "secret-path" not in everything and environment["AWS_SECRET_ACCESS_KEY"] not in everything + text


@pytest.mark.slow
def test_the_stock_entrypoint_still_fails_here(tmp_path, store):
    """Once it no longer does, ours can go."""
    client, environment = store
    add_span(client, 1, slice(60))
    text = compiled(tmp_path, "cluster.retries=0")
    (spec,) = yaml.safe_load_all(text)
    for executor in spec["deploymentSpec"]["executors"].values():
        executor["container"]["command"] = ["python", "-m", STOCK]
    tasks = Runner(tmp_path / "cluster", environment, Forks()).run(yaml.safe_dump(spec), "run-1")
    failed = [task for task in tasks.values() if task.state == "FAILED" and task.tries]
    assert failed and tasks["Pusher"].state == "SKIPPED"
    # The log that the driver adds to every task's outputs, inputs without a type, URIs that TensorFlow does not open, types of the
    # pipeline's own: what `kubeflow.entrypoint` mends.
    log = "Could not import system.Artifact"
    gaps = (
        log,
        "'NoneType' object has no attribute 'get'",
        "File system scheme 'minio' not implemented",
        "Could not import darkroom.",
    )
    others = {task.name: task.said[-1500:] for task in failed if not any(gap in task.said for gap in gaps)}
    assert not others, "fails for a reason that is not known"
    assert any(log in task.said for task in failed)
