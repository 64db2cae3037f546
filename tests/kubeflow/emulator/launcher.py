"""The launcher of Kubeflow Pipelines 2.17: what happens in a pod around the user's command.

Followed is backend/src/v2/component/launcher_v2.go (executeV2, execute, uploadOutputArtifacts), and for files
backend/src/v2/objectstore/object_store.go (UploadBlob, DownloadBlob).
"""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kubeflow.emulator.metadata import Artifact, Metadata
from tests.kubeflow.emulator.values import Broken, from_json, from_text, kind_of, number_text, to_json, to_text

FOLDERS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}
LOGS = "executor-logs"
OUTPUT_FIELDS = {"parameters", "artifacts", "parameterValues"}
ARTIFACT_FIELDS = {"name", "type", "uri", "properties", "customProperties", "metadata", "customPath"}


@dataclass
class Outcome:
    """What a pod has left.

    Attributes:
        status: The command's exit status; None if it did not come to that. The pod's own is 1 whatever the command's was.
        said: What the command has printed, or why the launcher failed.
        artifacts: What ML Metadata was told of.
        parameters: Output parameters.
    """

    status: int | None = None
    said: str = ""
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Launcher:
    """The launcher in one pod.

    Attributes:
        store: The folder that stands for the object stores.
        pod: The folder that stands for the pod's file system.
        root: What the pod's own paths begin with.
        pipeline_root: The run's folder in the store, into which alone outputs may go.
        session: Where the store's credentials are, as JSON.
    """

    store: Path
    pod: Path
    root: str
    pipeline_root: str
    session: str

    def prepared(self, given: dict[str, Any], component: dict[str, Any], retry: int) -> dict[str, Any]:
        """Fetch inputs, make folders and an empty log; return the executor input as the user's command sees it.

        Args:
            given: The executor input of the driver.
            component: The component's specification, of which defaults come.
            retry: The number of the try.
        """
        seen = copy.deepcopy(given)
        # qualifyExecutorLogsForRetry: KFP_RETRY_INDEX is set only where there is a retryStrategy; elsewhere it is 0.
        for artifact in artifacts_of(seen["outputs"], LOGS):
            artifact["uri"] += f"-{retry}"
        for _, folder in self._outputs(seen):
            folder.parent.mkdir(parents=True, exist_ok=True)
        seen["outputs"]["outputFile"] = self.root + seen["outputs"]["outputFile"]
        for parameter in seen["outputs"].get("parameters", {}).values():
            parameter["outputFile"] = self.root + parameter["outputFile"]
            self._real(parameter["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
        for many in seen["inputs"].get("artifacts", {}).values():
            for artifact in many["artifacts"]:
                self.download(artifact["uri"])
        for _, log in self._outputs(seen, only=LOGS):  # getLogWriter makes it before the command begins
            log.touch()
        defaults = component.get("inputDefinitions", {}).get("parameters", {})
        values = seen["inputs"].setdefault("parameterValues", {})
        for name, parameter in defaults.items():  # addDefaultParams
            if "defaultValue" in parameter and name not in values:
                values[name] = parameter["defaultValue"]
        return seen

    def finished(
        self, seen: dict[str, Any], component: dict[str, Any], status: int, said: str, metadata: Metadata
    ) -> tuple[bool, Outcome]:
        """Do what follows the user's command: its log, its output file, uploads.

        Returns:
            Whether the pod has succeeded, and what it has left.
        """
        outcome = Outcome(status, said)
        for _, folder in self._outputs(seen, only=LOGS):
            folder.write_text(said)
        try:
            written, broken = ({}, "") if status else self._output_file(seen)
            if status or broken:
                outcome.said += broken
                outcome.artifacts = self._uploaded(seen, {}, metadata, only=LOGS)
                return False, outcome
            outcome.parameters = self._parameters(seen, component, written)
            outcome.artifacts = self._uploaded(seen, written.get("artifacts", {}), metadata)
        except Broken as error:
            outcome.said += f"\nlauncher: {error}\n"
            return False, outcome
        return True, outcome

    def download(self, uri: str) -> None:
        """Copy what lies below a URI into the pod; of unknown schemes nothing is fetched, and nothing there is no error."""
        local = local_path(uri)
        source = self.store / (local or "-").lstrip("/")
        target = self._real(f"{self.root}{local}")
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)

    def upload(self, uri: str) -> None:
        """Copy the files at a URI's place into the store; a folder without files leaves no trace there (UploadBlob).

        Raises:
            Broken: It is outside the run's folder, or a link to a folder.
        """
        local = local_path(uri)
        if local is None:
            return
        if not uri.startswith(f"{self.pipeline_root}/"):
            raise Broken(f"KeyFromURI: URI {uri!r} does not have expected bucket prefix '{self.pipeline_root}/'")
        source = self._real(f"{self.root}{local}")
        paths = sorted(source.rglob("*")) if source.is_dir() else [source]
        for path in paths:
            target = self.store / local.lstrip("/") / path.relative_to(source)
            if path.is_symlink() and path.is_dir() and path != source:
                raise Broken(f"uploadFile: {path.name} is a link to a folder: read: is a directory")
            if path.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)

    def _real(self, path: str) -> Path:
        """The place on this machine of a path in the pod."""
        return self.pod / path.removeprefix(self.root).lstrip("/")

    def _outputs(self, seen: dict[str, Any], only: str | None = None) -> list[tuple[str, Path]]:
        return [
            (key, self._real(f"{self.root}{local_path(artifact['uri'])}"))
            for key in seen["outputs"].get("artifacts", {})
            if only in (None, key)
            for artifact in artifacts_of(seen["outputs"], key)
            if local_path(artifact["uri"])
        ]

    def _output_file(self, seen: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """What the user's command has written for the launcher (getExecutorOutputFile), no file says nothing; and what is amiss."""
        file = self._real(seen["outputs"]["outputFile"])
        if not file.exists():
            return {}, ""
        try:
            written = from_json(file.read_text())
            known(written, OUTPUT_FIELDS)
            for many in written.get("artifacts", {}).values():
                known(many, {"artifacts"})
                for artifact in many.get("artifacts", ()):
                    known(artifact, ARTIFACT_FIELDS)
        except Broken as error:
            return {}, f"\nlauncher: failed to unmarshall ExecutorOutput: {error}\n"
        return written, ""

    def _parameters(self, seen: dict[str, Any], component: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
        """Output parameters, those of the output file first, others from a file each (collectOutputParameters)."""
        found = dict(written.get("parameterValues", {}))
        declared = component.get("outputDefinitions", {}).get("parameters", {})
        for name, parameter in seen["outputs"].get("parameters", {}).items():
            if name in found:
                continue
            file = self._real(parameter["outputFile"])
            if not file.is_file():
                raise Broken(f"failed to read output parameter name={name!r} path={parameter['outputFile']!r}: no such file")
            found[name] = from_text(file.read_text(), declared[name]["parameterType"])
        return found

    def _uploaded(
        self, seen: dict[str, Any], written: dict[str, Any], metadata: Metadata, only: str | None = None
    ) -> dict[str, Artifact]:
        """Upload and register outputs; what the command wrote of them is laid over, but for type, name and the log's place."""
        found = {}
        for key in seen["outputs"].get("artifacts", {}):
            if only not in (None, key):
                continue
            (artifact,) = artifacts_of(seen["outputs"], key)
            if key != LOGS:
                for more in written.get(key, {}).get("artifacts", ())[:1]:
                    if more.get("customPath"):
                        raise NotImplementedError(f"{key}: customPath is not emulated")
                    artifact["uri"] = more.get("uri") or artifact["uri"]
                    artifact["metadata"] = {**artifact.get("metadata", {}), **more.get("metadata", {})}
            self.upload(artifact["uri"])
            found[key] = metadata.record(key, artifact, self.session)
        return found


def local_path(uri: str) -> str | None:
    """Return the launcher's path for a URI (LocalPathForURI); None if it has none. oci:// is not emulated."""
    for scheme, folder in FOLDERS.items():
        if uri.startswith(scheme):
            return folder + uri[len(scheme) :]
    return None


def artifacts_of(part: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the artifacts of an input or output."""
    return part.get("artifacts", {}).get(key, {}).get("artifacts", [])


def known(message: dict[str, Any], fields: set[str]) -> None:
    """Raise for a field that protobuf's message has not: protojson.Unmarshal ignores none.

    Raises:
        Broken: There is one.
    """
    snake = {"".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name) for name in fields}
    for name in message:
        if name not in fields | snake:
            raise Broken(f'protojson.Unmarshal: unknown field "{name}"')


def filled_in(command: list[str], seen: dict[str, Any], root: str) -> list[str]:
    """Return the command with its placeholders filled in (compileCmdAndArgs, getPlaceholders).

    Args:
        command: The command and its arguments.
        seen: The executor input.
        root: What the pod's paths begin with.
    """
    places: dict[str, str] = {}
    for side in ("inputs", "outputs"):
        for name in seen[side].get("artifacts", {}):
            (artifact, *_) = artifacts_of(seen[side], name)
            places[f"{{{{$.{side}.artifacts['{name}'].uri}}}}"] = artifact["uri"]
            path = local_path(artifact["uri"])
            if path:
                places[f"{{{{$.{side}.artifacts['{name}'].path}}}}"] = root + path
    for name, value in seen["inputs"].get("parameterValues", {}).items():
        kind = kind_of(value)
        if kind == "null":
            raise Broken(f"getPlaceholders: the parameter {name} is null: unknown PipelineSpec Value type")
        places[f"{{{{$.inputs.parameters['{name}']}}}}"] = number_text(value) if kind == "number" else to_text(value)
    for name, parameter in seen["outputs"].get("parameters", {}).items():
        places[f"{{{{$.outputs.parameters['{name}'].output_file}}}}"] = parameter["outputFile"]
    whole = to_json(without_empty(seen))
    filled = [argument.replace("{{$}}", whole) for argument in command]
    for place, value in places.items():
        filled[1:] = [argument.replace(place, value) for argument in filled[1:]]
    return filled


def without_empty(message: dict[str, Any]) -> dict[str, Any]:
    """Return an executor input as protojson writes it: empty maps and empty strings are left out."""
    sides = {}
    for side, parts in message.items():
        sides[side] = {name: part for name, part in parts.items() if part not in ({}, "")}
    return sides
