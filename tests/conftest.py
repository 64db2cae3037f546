"""How the tests share two cores: which files come first, and what one worker runs alone."""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling

# Folders whose files share what one worker has made.
TOGETHER = ("tests/faults/", "tests/trainer/export/", "tests/components/serving_check/")
# The longest first, so that both workers end at about the same time.
LONGEST = (
    "tests/kubeflow/cluster/test_cluster.py",
    "tests/faults/",
    "tests/test_data_sets.py",
    "tests/kubeflow/cluster/test_images.py",
    "tests/components/sample_quality/test_known_answers.py",
    "tests/kubeflow/test_on_an_emulated_cluster.py",
    "tests/test_margin.py",
    "tests/test_stories.py",
    "tests/test_airflow.py",
    "tests/trainer/test_task.py",
    "tests/test_forced_blessing.py",
    "tests/components/image_example_gen/test_fuzz.py",
    "tests/trainer/test_loop.py",
    "tests/trainer/export/",
    "tests/test_end_to_end.py",
    "tests/test_",  # whole runs
    "tests/trainer/",
)


class Scheduling(LoadFileScheduling):
    """Gives a worker a file at a time, or all of a folder."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """Return the scheduler, whatever `--dist` says."""
    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others stay in their order."""

    def place(item: pytest.Item) -> int:
        return next((i for i, start in enumerate(LONGEST) if item.nodeid.startswith(start)), len(LONGEST))

    items.sort(key=place)
