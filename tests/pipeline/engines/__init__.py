"""Tests of pipeline.engines."""
