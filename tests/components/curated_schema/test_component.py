"""The schema that travels within the pipeline's definition."""

from tfx.types import standard_artifacts

from components.curated_schema.component import CuratedSchema, Executor
from pipeline.data.schemas import default_schema, read_schema


def test_the_text_becomes_the_schema_as_it_was(tmp_path):
    text = default_schema().read_text(encoding="utf-8")
    component = CuratedSchema(text=text)
    schema = standard_artifacts.Schema()
    schema.uri = str(tmp_path)
    Executor().Do({}, {"schema": [schema]}, component.exec_properties)
    assert read_schema(tmp_path / "schema.pbtxt") == read_schema(default_schema())
