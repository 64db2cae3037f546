"""Files of executions that ML Metadata does not know."""

from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.maintenance.orphans import bring_back, folders, highest, put_away, set_aside
from pipeline.metadata.store import open_store
from pipeline.workspace.layout import Workspace


def executions(workspace, count):
    """Does `count` executions, each with its files; gives their ids."""
    store = open_store(workspace)
    kind = store.put_execution_type(pb.ExecutionType(name="Trainer"))
    ids = store.put_executions([pb.Execution(type_id=kind, last_known_state=pb.Execution.COMPLETE) for _ in range(count)])
    for number in ids:
        write(workspace, number)
    return list(ids)


def write(workspace, number):
    for kind in ("model", ".system/executor_execution"):
        folder = workspace.artifacts / "Trainer" / kind / str(number)
        folder.mkdir(parents=True)
        (folder / "made-by").write_text(str(number))


def left(workspace):
    return sorted(set(folders(workspace.artifacts).values()))


def test_only_folders_of_executions_count(tmp_path):
    workspace = Workspace(tmp_path)
    write(workspace, 7)
    others = ["schemas/1234567890123456/schema.pbtxt", "Trainer/model/7/variables/12", "Trainer/model/٣"]
    for other in (*others, "Trainer/.system/stateful_working_dir/a-b", "Trainer/.system/driver_execution/1795323097991618"):
        (workspace.artifacts / other).mkdir(parents=True)
    assert sorted(map(str, folders(workspace.artifacts))) == ["Trainer/.system/executor_execution/7", "Trainer/model/7"]
    assert highest(workspace) == 7 and highest(Workspace(tmp_path / "nowhere")) == 0


def test_a_sound_work_folder_is_left_as_it_is(tmp_path):
    workspace = Workspace(tmp_path)
    assert put_away(workspace) == [] and not workspace.metadata.exists()
    ids = executions(workspace, 3)
    assert put_away(workspace) == [] and left(workspace) == ids
    assert not (tmp_path / "aside").exists()


def test_a_database_that_was_deleted_leaves_files_that_nothing_finds_and_ids_that_are_not_given_again(tmp_path):
    workspace = Workspace(tmp_path)
    before = executions(workspace, 5)
    workspace.metadata.unlink()
    assert put_away(workspace) == before
    assert left(workspace) == []
    after = executions(workspace, 3)
    assert min(after) > max(before)
    assert put_away(workspace) == [] and left(workspace) == after


def test_what_was_set_aside_comes_back_and_takes_no_place_of_anything(tmp_path):
    workspace = Workspace(tmp_path)
    ids = executions(workspace, 4)
    assert set_aside(workspace, lambda number: number > 2) == ids[2:]
    assert left(workspace) == ids[:2]
    assert set_aside(workspace, lambda number: number > 1) == ids[1:2]
    write(workspace, ids[1])
    (workspace.artifacts / "Trainer" / "model" / "2" / "made-by").write_text("another")
    assert bring_back(workspace, {ids[1], ids[2]}) == [ids[2]]
    assert left(workspace) == ids[:3]
    assert (workspace.artifacts / "Trainer" / "model" / "2" / "made-by").read_text() == "another"
    assert bring_back(workspace, set(ids)) == [ids[3]]
