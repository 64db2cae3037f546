"""Whether objects of Kubeflow Trainer are of its published models, by whatever Python has kubeflow-trainer-api.

Run as a program it reads a file of JSON, objects by the plural of their kind, and writes what is wrong with them, a line each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def faults(documents: dict[str, dict[str, Any]]) -> list[str]:
    """Say what no model has a field for, or another type of."""
    from kubeflow_trainer_api import models

    kinds = {"trainjobs": models.TrainerV1alpha1TrainJob, "trainingruntimes": models.TrainerV1alpha1TrainingRuntime}
    found: list[str] = []
    for plural, document in documents.items():
        try:
            read = kinds[plural].from_dict(document)
        except ValueError as error:
            found.append(f"{plural}: {' '.join(str(error).split())}")
            continue
        found += [f"{plural}: {where}" for where in lost(document, json.loads(read.to_json()))]
    return found


def lost(given: Any, read: Any, where: str = "") -> Iterator[str]:
    """What the models did not take over: they ignore fields that they do not know."""
    if isinstance(given, dict) and isinstance(read, dict):
        for name, value in given.items():
            if name not in read:
                yield f"{where}.{name}"
            else:
                yield from lost(value, read[name], f"{where}.{name}")
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for i, (one, other) in enumerate(zip(given, read)):
            yield from lost(one, other, f"{where}[{i}]")
    elif given != read:
        yield f"{where}: {given!r} became {read!r}"


if __name__ == "__main__":
    print("\n".join(faults(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
