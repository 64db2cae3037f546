"""The table of commands, whose modules are imported when they are used."""

import importlib
import subprocess
import sys

import pytest

from local_runner import CLUSTER_COMMANDS
from pipeline.cli.main import MODULES
from tests.project import ROOT


@pytest.mark.parametrize(("module", "names"), {**MODULES, **CLUSTER_COMMANDS}.items())
def test_the_table_has_the_commands_of_each_module(module, names):
    assert tuple(command.name for command in importlib.import_module(module).COMMANDS) == names


def test_a_command_imports_no_other_module_of_commands():
    code = "import sys; from local_runner import main\ntry: main(['runs', '--help'])\nfinally: print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout.split()
    assert "pipeline.cli.history" in loaded and not {"pipeline.cli.run", "serving.commands", "numpy"} & set(loaded)
