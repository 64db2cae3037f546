"""What ML Metadata keeps of artifacts, and what it gives to the tasks behind (backend/src/v2/metadata of 2.17)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.kubeflow.emulator.values import Broken, through_metadata, to_json


@dataclass(frozen=True)
class Artifact:
    """An artifact as ML Metadata has it: without the name of the output that it was, and without its type's schema.

    Attributes:
        id: Its number.
        uri: Where it is.
        title: Its type's title.
        metadata: Its custom properties.
    """

    id: int
    uri: str
    title: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def as_input(self, *, of_graph: bool = False) -> dict[str, Any]:
        """Return what a task is sent: the id for a name, a type without a schema, and all properties.

        Args:
            of_graph: Whether it comes through the inputs of the graph (GetInputArtifactsByExecutionID), which name no type at
                all; what comes straight from a task has the empty one (OutputArtifact.ToRuntimeArtifact).
        """
        artifact: dict[str, Any] = {"name": str(self.id), "uri": self.uri, "metadata": self.metadata}
        return artifact if of_graph else {**artifact, "type": {"instanceSchema": ""}}


class Metadata:
    """The artifacts of an emulated cluster."""

    def __init__(self) -> None:
        self.artifacts: list[Artifact] = []
        self.counter = itertools.count(1)

    def record(self, key: str, artifact: dict[str, Any], session: str) -> Artifact:
        """Keep a task's output (RecordArtifact).

        Args:
            key: The output's name.
            artifact: What the launcher has: uri, type and metadata.
            session: Where credentials of the store are, as JSON.

        Raises:
            Broken: Its type has no title, or one of its properties cannot be kept.
        """
        properties = through_metadata(artifact.get("metadata", {}))
        properties = {"display_name": key, "store_session_info": session, **properties}
        return self._add(artifact["uri"], title_of(artifact.get("type", {})), properties)

    def import_once(self, uri: str, kind: dict[str, Any], metadata: dict[str, Any], *, anew: bool) -> Artifact:
        """Keep what an importer names, or find it if an earlier run has named the same (component/importer_launcher.go)."""
        session = to_json({"Provider": uri.partition("://")[0], "Params": {"fromEnv": "true"}})
        properties = {**through_metadata(metadata), "store_session_info": session}
        title = title_of(kind)
        for known in self.artifacts:
            if not anew and (known.uri, known.title, known.metadata) == (uri, title, properties):
                return known
        return self._add(uri, title, properties)

    def _add(self, uri: str, title: str, properties: dict[str, Any]) -> Artifact:
        self.artifacts.append(Artifact(next(self.counter), uri, title, properties))
        return self.artifacts[-1]


def title_of(kind: dict[str, Any]) -> str:
    """Return a type's title, by which ML Metadata knows it (getArtifactSchema, SchemaToArtifactType).

    Raises:
        Broken: There is none.
    """
    if "schemaTitle" in kind:
        title = kind["schemaTitle"]
    elif "instanceSchema" in kind:
        title = (yaml.safe_load(kind["instanceSchema"]) or {}).get("title")
    else:
        raise Broken(f"getArtifactSchema: unknown type {kind}: neither schemaTitle nor instanceSchema")
    if not title:
        raise Broken("SchemaToArtifactType: No title specified")
    return str(title)
