"""Where ML Metadata's database is, and how it is opened."""

from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.metadata.store import connection, exists, open_store
from pipeline.workspace.layout import Workspace


def test_the_database_is_made_by_what_first_opens_it_and_not_by_the_question(tmp_path):
    workspace = Workspace(tmp_path)
    assert not exists(workspace)
    assert connection(workspace).sqlite.filename_uri == str(tmp_path / "metadata.db")
    assert not exists(workspace)
    kind = open_store(workspace).put_context_type(pb.ContextType(name="kind"))
    assert exists(workspace)
    assert [context.id for context in open_store(workspace).get_context_types()] == [kind]
