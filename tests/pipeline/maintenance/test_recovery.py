from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.maintenance.recovery import clear
from pipeline.metadata.store import open_store
from pipeline.workspace.layout import Workspace


def test_without_a_run_before_there_is_nothing_to_clear(tmp_path):
    assert clear(Workspace(tmp_path)) == []
    assert not (tmp_path / "metadata.db").exists()


def test_what_was_running_is_canceled_and_its_files_are_removed_and_no_others(tmp_path):
    store = open_store(Workspace(tmp_path))
    trainer = store.put_execution_type(pb.ExecutionType(name="Trainer"))
    states = [pb.Execution.COMPLETE, pb.Execution.RUNNING, pb.Execution.FAILED, pb.Execution.CACHED, pb.Execution.NEW]
    ids = store.put_executions([pb.Execution(type_id=trainer, last_known_state=state) for state in states])
    for number in (*ids, 21):  # 21 begins like an id that was running
        for kind in ("model", "model_run", ".system/executor_execution"):
            (tmp_path / "artifacts" / "Trainer" / kind / str(number)).mkdir(parents=True)
    killed = [ids[1], ids[4]]
    assert sorted(clear(Workspace(tmp_path))) == killed
    left = {int(path.name) for path in tmp_path.glob("artifacts/Trainer/model*/*")}
    assert left == {*ids, 21} - set(killed)
    assert {int(path.name) for path in tmp_path.glob("artifacts/Trainer/.system/*/*")} == left
    after = [store.get_executions_by_id([number])[0].last_known_state for number in ids]
    assert after == [pb.Execution.COMPLETE, pb.Execution.CANCELED, pb.Execution.FAILED, pb.Execution.CACHED, pb.Execution.CANCELED]
    assert clear(Workspace(tmp_path)) == []
