"""The manifests for KServe: what can be known of them without a cluster."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
from pathlib import Path

import pytest
import yaml

from pipeline.config.schema import ServingCheckConfig
from tests.project import ROOT

FOLDER = ROOT / "kubeflow" / "manifests"
KINDS = {
    "inference-service.yaml": ("serving.kserve.io/v1beta1", "InferenceService"),
    "service-account.yaml": ("v1", "ServiceAccount"),
    "storage-secret.yaml": ("v1", "Secret"),
    "pipeline-secret.yaml": ("v1", "Secret"),
    "kustomization.yaml": ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
}
ROLE = "trainer-role.yaml"  # two documents, see tests/trainer/workers/test_cluster.py
SECRETS = ["storage-secret.yaml", "pipeline-secret.yaml"]
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def load(file: str) -> dict:
    (found,) = yaml.safe_load_all((FOLDER / file).read_text(encoding="utf-8"))
    return found


def test_every_file_is_known_and_described():
    assert {path.name for path in FOLDER.glob("*.yaml")} == {*KINDS, ROLE}
    for file in (*KINDS, ROLE, "request.json"):
        assert f"`{file}`" in README


@pytest.mark.parametrize("file", KINDS)
def test_what_each_file_declares(file):
    found = load(file)
    assert (found["apiVersion"], found["kind"]) == KINDS[file]
    if file != "kustomization.yaml":
        assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", found["metadata"]["name"])
        assert "namespace" not in found["metadata"], "whose namespace it is, is said when it is applied"


def test_names_refer_to_one_another():
    predictor = load("inference-service.yaml")["spec"]["predictor"]
    account = load("service-account.yaml")
    assert predictor["serviceAccountName"] == account["metadata"]["name"]
    assert account["secrets"] == [{"name": load("storage-secret.yaml")["metadata"]["name"]}]
    resources = load("kustomization.yaml")["resources"]
    assert set(resources) == set(KINDS) - {"kustomization.yaml", "pipeline-secret.yaml"}
    assert f"inferenceservice/{load('inference-service.yaml')['metadata']['name']} " in README.replace("\n", " ")


@pytest.mark.parametrize("file", SECRETS)
def test_no_secret_has_a_value(file):
    found = load(file)
    assert set(found) == {"apiVersion", "kind", "metadata", "type"}
    text = (FOLDER / file).read_text(encoding="utf-8")
    assert f"create secret generic {found['metadata']['name']} --from-env-file=" in text
    assert f"fill {found['metadata']['name']}" in README
    # Endpoints may be named; keys are named and left open.
    for where in (text, README):
        assert set(re.findall(r"(?:KEY_ID|ACCESS_KEY)=([^\s`,]*)", where)) == {"..."}


def test_the_model_is_served_by_the_runtime_of_the_newest_line():
    """Which reads the models of both: TensorFlow loads what older versions exported."""
    model = load("inference-service.yaml")["spec"]["predictor"]["model"]
    assert model["modelFormat"] == {"name": "tensorflow", "version": "2"}
    locked = [
        line.split("==")[1] for line in (ROOT / "requirements/1.21.txt").read_text().splitlines() if line.startswith("tensorflow==")
    ]
    served, newest, exported_by = (
        [int(part) for part in version.split(".")[:2]]
        for version in (model["runtimeVersion"], *locked, importlib.metadata.version("tensorflow"))
    )
    assert served == newest >= exported_by
    assert model["runtimeVersion"] == ServingCheckConfig().tensorflow_serving_tag
    assert re.fullmatch(r"s3://BUCKET/.*[a-z]/", model["storageUri"]), "the folder of the versions, not a version"
    assert "gs://BUCKET/" in (FOLDER / "inference-service.yaml").read_text(encoding="utf-8")


def test_it_does_not_run_as_root_and_has_its_limits():
    model = load("inference-service.yaml")["spec"]["predictor"]["model"]
    context = model["securityContext"]
    assert context["runAsNonRoot"] is True and context["runAsUser"] > 0
    assert context["allowPrivilegeEscalation"] is False and context["capabilities"] == {"drop": ["ALL"]}
    assert set(model["resources"]) == {"requests", "limits"}
    assert all(set(amounts) == {"cpu", "memory"} for amounts in model["resources"].values())


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, exported as the Trainer does, with the 2 latent dimensions that the request has."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    from tests.trainer import tiny
    from trainer.export import Servable

    def no_pixels(contents: tf.Tensor) -> tf.Tensor:
        """In place of the Transform graph, which drawing does not need and which takes long to make."""
        return tf.zeros([tf.shape(contents)[0], *tiny.SHAPE])

    no_pixels.resources = tf.Module()  # as `trainer.data.pixel_graph` has one
    folder = tmp_path_factory.mktemp("exported") / "1"
    Servable(tiny.make_vae(spread=0.3), no_pixels, importance_samples=5).save(folder)
    return folder


def ask(model: Path, body: dict) -> dict[str, object]:
    """What a model answers to a request of TensorFlow Serving's REST API, whose numbers take the types of the signature."""
    import tensorflow as tf

    from serving.c_api import Session, find_library
    from serving.signatures import read_signatures

    name = body["signature_name"]
    _, specs = tf.saved_model.load(str(model)).signatures[name].structured_input_signature
    assert set(body["inputs"]) == set(specs)
    signature = read_signatures((model / "saved_model.pb").read_bytes())[name]
    feeds = {}
    for key, value in body["inputs"].items():
        tensor = tf.constant(value, specs[key].dtype)
        assert specs[key].shape.is_compatible_with(tensor.shape)
        feeds[signature.inputs[key]] = tensor.numpy()
    return dict(zip(signature.outputs, Session(find_library(), model).run(feeds, list(signature.outputs.values()))))


def test_the_decoder_answers_the_example_request(exported):
    body = json.loads((FOLDER / "request.json").read_text(encoding="utf-8"))
    assert body["signature_name"] == "serving_default"
    images = ask(exported, body)["images"]
    assert images.shape == (len(body["inputs"]["latents"]), 8, 8, 1) and images.dtype == "uint8"


def test_the_request_in_the_readme_is_answered(exported):
    (body,) = re.findall(r"--data '(\{\"signature_name\".*\})'", README)
    pictures = ask(exported, json.loads(body))["png_bytes"]
    assert len(pictures) == 4 and all(content.startswith(b"\x89PNG") for content in pictures)
