"""The pictures and the schema that they must meet."""
