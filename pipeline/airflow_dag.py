"""What a DAG file imports: `from pipeline.airflow_dag import darkroom_dag`; see `pipeline.running.airflow`."""

from __future__ import annotations

from pipeline.running.airflow import darkroom_dag

__all__ = ["darkroom_dag"]
