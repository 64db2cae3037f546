"""ML Metadata in a MySQL database: against a server of MariaDB's, where there is one."""

import json
import shutil
import socket
import subprocess
import threading

import pytest

from common.errors import InputError
from pipeline.config.metadata import MetadataConfig
from pipeline.maintenance.backup import backup, keep_copy
from pipeline.maintenance.orphans import put_away
from pipeline.metadata.mysql import PASSWORD as CLIENTS_VARIABLE
from pipeline.metadata.store import connection, exists, open_store, settle
from pipeline.running.new_data import look
from pipeline.running.request import Request
from pipeline.workspace.layout import Workspace
from tests.emulators.mariadb import DATABASES, PASSWORD, mariadb, server_program
from tests.project import darkroom, last_verdict, write_discs

VARIABLE = "DARKROOM_METADATA_PASSWORD"
needs_server = pytest.mark.skipif(
    server_program() is None, reason="there is no mariadbd: install mariadb-server, or name one by DARKROOM_MARIADB"
)


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with mariadb(tmp_path_factory.mktemp("mariadb")) as port:
        yield port


@pytest.fixture(scope="module")
def databases():
    return iter(DATABASES)


@pytest.fixture
def asked(port, databases, monkeypatch):
    """A database that nobody has used yet."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    monkeypatch.delenv(CLIENTS_VARIABLE, raising=False)
    return MetadataConfig(host="127.0.0.1", port=port, database=next(databases))


def changed(config, **values):
    return MetadataConfig(**{**config.__dict__, **values})


@needs_server
def test_a_work_folder_remembers_its_database_and_nothing_holds_the_password(tmp_path, asked):
    workspace = Workspace.create(tmp_path / "work")
    settle(workspace, asked)
    assert exists(workspace) and not workspace.metadata.exists()
    open_store(workspace).get_context_types()
    assert PASSWORD not in str(connection(workspace)), "TFX logs it"
    record = workspace.root / "metadata.json"
    assert "cret" not in record.read_text()
    assert json.loads(record.read_text())["database"] == asked.database
    settle(workspace, asked)
    settle(workspace, changed(asked, host="localhost"))
    assert json.loads(record.read_text())["host"] == "localhost", "the server has moved: it still is this work folder's database"


@needs_server
def test_a_database_belongs_to_one_work_folder(tmp_path, asked):
    one, other = (Workspace.create(tmp_path / name) for name in ("one", "other"))
    settle(one, asked)
    with pytest.raises(InputError, match=f"belongs to another work folder, .*{one.root}"):
        settle(other, asked)
    assert not exists(other), "it is as if nothing had been asked"


@needs_server
def test_a_work_folder_keeps_to_the_store_that_it_was_begun_with(tmp_path, asked, databases):
    workspace = Workspace.create(tmp_path / "work")
    settle(workspace, asked)
    with pytest.raises(InputError, match=f"created with the MySQL database {asked.database} at"):
        settle(workspace, MetadataConfig())
    with pytest.raises(InputError, match=f"created with the MySQL database {asked.database} at .* is empty"):
        settle(workspace, changed(asked, database=next(databases)))
    before = Workspace.create(tmp_path / "file")
    settle(before, MetadataConfig())
    open_store(before)
    with pytest.raises(InputError, match="created with its own metadata.db"):
        settle(before, asked)


@needs_server
def test_a_database_of_others_is_left_alone(tmp_path, asked):
    from ml_metadata.proto import metadata_store_pb2 as pb

    from pipeline.metadata import mysql

    store = mysql.open_store(asked)
    kind = store.put_execution_type(pb.ExecutionType(name="Training"))
    store.put_executions([pb.Execution(type_id=kind, last_known_state=pb.Execution.RUNNING)])
    workspace = Workspace.create(tmp_path / "work")
    with pytest.raises(InputError, match="has data of another program"):
        settle(workspace, asked)
    assert not exists(workspace)


@needs_server
def test_files_of_a_database_that_was_made_anew_are_set_aside(tmp_path, asked):
    workspace = Workspace.create(tmp_path / "work")
    settle(workspace, asked)
    before = workspace.artifacts / "Trainer" / "model" / "9"
    before.mkdir(parents=True)
    assert put_away(workspace) == [9] and not before.exists()
    assert len(list(workspace.root.glob("aside/*/Trainer/model/9"))) == 1


@needs_server
def test_the_servers_own_tools_make_its_backups(tmp_path, asked):
    workspace = Workspace.create(tmp_path / "work")
    settle(workspace, asked)
    with pytest.raises(InputError, match="mariadb-dump"):
        backup(tmp_path / "out.db", workspace)
    keep_copy(workspace)
    assert not list(workspace.root.glob("metadata.db*"))


@needs_server
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"user": "nobody"}, "does not let the user nobody in: the password in DARKROOM_METADATA_PASSWORD is wrong"),
        ({"database": "darkroom_none"}, "there is no database darkroom_none"),
        ({"database": "others"}, "the user darkroom may not use"),
        ({"password_env": "NOT_SET"}, "NOT_SET.* is not set"),
        ({"host": "nowhere.invalid"}, "no server answers"),
        ({"tls": True}, "does not support TLS"),
    ],
)
def test_what_cannot_be_reached_is_a_mistake_in_one_line(tmp_path, port, monkeypatch, capfd, values, words):
    monkeypatch.setenv(VARIABLE, PASSWORD)
    workspace = Workspace.create(tmp_path / "work")
    asked = MetadataConfig(**{"host": "127.0.0.1", "port": port, "database": DATABASES[0], **values})
    with pytest.raises(InputError, match=words) as caught:
        settle(workspace, asked)
    assert "\n" not in str(caught.value) and PASSWORD not in str(caught.value)
    assert capfd.readouterr() == ("", ""), "the client's own words stay out of sight"
    assert not exists(workspace)


@needs_server
def test_an_account_without_a_password(tmp_path, asked, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv(CLIENTS_VARIABLE, "another program's")
    settle(Workspace.create(tmp_path / "work"), changed(asked, user="open", password_env=None))


@needs_server
@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make a certificate with")
def test_an_account_that_asks_for_tls(tmp_path, databases, monkeypatch):
    monkeypatch.setenv(VARIABLE, PASSWORD)
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*make, "-keyout", "server.key", "-out", "server.pem"], cwd=tmp_path, check=True, capture_output=True)
    with mariadb(tmp_path / "mariadb", [f"--ssl-cert={tmp_path}/server.pem", f"--ssl-key={tmp_path}/server.key"]) as port:
        asked = MetadataConfig(host="127.0.0.1", port=port, database=next(databases), user="careful")
        with pytest.raises(InputError, match="does not let the user careful in: .* it asks for TLS"):
            settle(Workspace.create(tmp_path / "open"), asked)
        settle(Workspace.create(tmp_path / "work"), changed(asked, tls=True))


@pytest.mark.parametrize(
    ("said", "words"),
    [(b"SSH-2.0-OpenSSH_9.2\r\n", "is not MySQL"), (b"\x10\0\0\0\xff\x69\x04Host blocked", "Host blocked"), (b"", "is not MySQL")],
)
def test_what_answers_may_be_something_else(tmp_path, monkeypatch, said, words):
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            peer, _ = server.accept()
            peer.sendall(said)
            peer.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(InputError, match=words):
            settle(Workspace.create(tmp_path / "work"), MetadataConfig(host="127.0.0.1", port=server.getsockname()[1]))
        thread.join()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"host": "db:3306/x"}, "metadata.host"),
        ({"database": "a`b"}, "metadata.database"),
    ],
)
def test_values_that_are_of_no_use(values, words):
    with pytest.raises(ValueError, match=words):
        MetadataConfig(**values)


def test_a_password_in_the_place_of_its_variable_is_not_repeated():
    with pytest.raises(ValueError, match="password_env") as caught:
        MetadataConfig(password_env="hunter-2")
    assert "hunter" not in str(caught.value)


def test_another_database_is_no_reason_to_train_anew(tmp_path):
    from pipeline.config.schema import Config

    write_discs(tmp_path / "discs", 4)

    def seen(config):
        return look(Request(str(tmp_path / "discs"), config, tmp_path / "work"))

    assert seen(Config(metadata=MetadataConfig(host="db.example.org"))) == seen(Config())
    assert seen(Config(title="other")) != seen(Config())


@needs_server
@pytest.mark.slow
def test_a_whole_run_then_one_from_the_cache_and_its_lineage(tmp_path, asked):
    pictures, work = tmp_path / "pictures", tmp_path / "work"
    write_discs(pictures, 200)
    arguments = ["--images", pictures, "--work", work, "--set", "training.epochs=2", "--set", "tuning.trials=0"]
    for name in ("host", "port", "database"):
        arguments += ["--set", f"metadata.{name}={getattr(asked, name)}"]
    first = darkroom("run", *arguments)
    assert first.status == 0, first.out + first.err
    assert first.err == "" and not (work / "metadata.db").exists()
    second = darkroom("run", *arguments)
    assert second.status == 0 and set(second.states().values()) == {"cached"}, second.out + second.err
    lineage = darkroom("lineage", 1, "--work", work)
    assert lineage.status == 0 and lineage.out.startswith("version 1: trained by run"), lineage.err

    by_beam = darkroom("run", *arguments, "--orchestrator", "beam")
    assert by_beam.status == 0 and set(by_beam.states().values()) == {"cached"}, by_beam.out + by_beam.err
    other = darkroom("run", *arguments, "--set", "training.seed=1", "--set", "evaluation.max_drop=100")
    assert other.status == 0, other.err
    back = darkroom("rollback", "--work", work, "--why", "grey stripes")
    assert back.status == 0 and "version 1 is in service as version 3" in back.out, back.err
    cleared = darkroom("gc", "--keep", 1, "--work", work, "--yes")
    assert cleared.status == 0 and [path.name for path in (work / "serving").iterdir()] == ["3"], cleared.err
    assert darkroom("run", *arguments).states()["Trainer"] == "cached", "what the model in service was made of is kept"
    for path in work.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path

    wrong = darkroom("run", *arguments, **{VARIABLE: "wrong"})
    assert wrong.status == 2 and len(wrong.err.splitlines()) == 1 and "password" in wrong.err and wrong.out == ""
    lost = darkroom("lineage", 1, "--work", work, **{VARIABLE: "wrong"})
    assert lost.status == 2 and len(lost.err.splitlines()) == 1
    elsewhere = darkroom("run", *arguments[:-6])
    assert elsewhere.status == 2 and "was created with the MySQL database" in elsewhere.err
    assert len(list(work.glob("runs/*"))) == 5 and last_verdict(work)["outcome"] == "pushed"
