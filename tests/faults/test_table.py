"""The table counts what failed as lost."""

import pytest

from tests.faults import table


@pytest.fixture
def gathered(tmp_path, monkeypatch):
    """The file that rows are gathered in."""
    monkeypatch.setenv(table.FILE, str(tmp_path / "faults.jsonl"))
    return tmp_path / "faults.jsonl"


def test_rows_of_a_fault_are_added_up_and_lines_come_below(gathered):
    table.note(fault="kill -9", tries=13, recovered=13)
    table.note(line="it grows by 3 kB")
    table.note(fault="kill -9", tries=2, recovered=0)
    table.note(fault="a full disk", tries=1, recovered=1)
    assert table.table(gathered).splitlines() == [
        "| fault | tries | lost | recovered |",
        "| --- | --- | --- | --- |",
        "| a full disk | 1 | 0 | 1 |",
        "| kill -9 | 15 | 2 | 13 |",
        "",
        "it grows by 3 kB",
    ]


@pytest.mark.parametrize(("recovered", "status"), [(1, False), (0, True)])
def test_it_fails_where_something_was_lost(gathered, capsys, recovered, status):
    table.note(fault="a full disk", tries=1, recovered=recovered)
    table.note(line="|")
    with pytest.raises(SystemExit) as ended:
        table.main()
    assert ended.value.code == status and "a full disk" in capsys.readouterr().out


def test_without_the_variable_nothing_is_gathered(monkeypatch, tmp_path):
    monkeypatch.delenv(table.FILE, raising=False)
    monkeypatch.chdir(tmp_path)
    table.note(fault="a full disk", tries=1, recovered=1)
    assert not list(tmp_path.iterdir())


def test_a_test_that_fails_is_a_loss(gathered, tmp_path):
    """As pytest runs it, by the suite's own fixture."""
    (tmp_path / "test_it.py").write_text(
        "from tests.faults.conftest import pytest_runtest_makereport, trial\n"
        "def test_bad(trial):\n    trial('a full disk', 3)\n    assert 0\n"
        "def test_good(trial):\n    trial('a full disk')\n"
    )
    ended = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "tests.faults.conftest", str(tmp_path / "test_it.py")])
    assert ended == pytest.ExitCode.TESTS_FAILED
    assert table.table(gathered).splitlines()[-1] == "| a full disk | 4 | 3 | 1 |"
