"""The executor for TFX's Pusher: numbered versions, each published by one rename."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from tfx.components.pusher import executor as pusher_executor
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.artifacts import Artifacts
from components.baselines import store
from components.baselines.registry import record_blessing
from components.pusher.versions import UNFINISHED, in_service, versions


class AtomicPush(pusher_executor.Executor):
    """Push to `<base>/<version>/`; the new version is the highest existing one plus 1.

    TFX's own executor copies file by file into the version's folder, so a run that dies midway leaves half a model where servers
    look for models. It also takes the version from the clock, which may jump back. Cloud stores have no rename: there,
    saved_model.pb is copied last, because no server accepts a folder without it as a model.
    """

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Push the model if both gates blessed it. Set the output's `pushed` to 1 or 0, with version and destination."""
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
        base = destination.filesystem.base_directory
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        model = Path(self.GetModelPath(input_dict))
        # The same model may be blessed again for other reasons: one copy of it is enough.
        if store.is_uri(base):
            version = str(store.add(str(model), base.rstrip("/")))
            target = f"{base.rstrip('/')}/{version}"
        else:
            folder = in_service(model, Path(base)) or push(model, Path(base))
            target, version = str(folder), folder.name
        custom = json.loads(exec_properties.get(standard_component_specs.CUSTOM_CONFIG_KEY) or "null") or {}
        if custom.get("registry"):
            blessing = artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_BLESSING_KEY])
            record_blessing(blessing, custom["registry"], int(version))
        self._MarkPushed(pushed, pushed_destination=target, pushed_version=version)
        record = json.dumps({"version": int(version), "destination": target}, indent=2) + "\n"
        Path(pushed.uri, "pushed.json").write_text(record, encoding="utf-8")


def push(model: Path, base: Path) -> Path:
    """Copy a model to the next version's folder, which appears complete or not at all, and return that folder.

    Raises:
        OSError: The disk is full or not writable; no partial copy remains.
    """
    base.mkdir(parents=True, exist_ok=True)
    for leftover in base.glob(f"{UNFINISHED}*"):  # left by a killed push
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished = base / f"{UNFINISHED}{os.getpid()}"
    try:
        shutil.copytree(model, unfinished)
        os.utime(unfinished)  # set the time of the push instead of the source folder's time
        _flush(unfinished)
        target = base / str(max(versions(base), default=0) + 1)
        unfinished.rename(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return target


def _flush(folder: Path) -> None:
    """Write the files to the disk before the rename; otherwise a power cut could leave a complete folder of empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
