"""Readers of files that hold many pictures: one module a format, each yielding what `found` names."""
