"""The import for an Airflow DAG file: `from pipeline.airflow_dag import darkroom_dag`. See `pipeline.running.airflow`."""

from __future__ import annotations

from pipeline.running.airflow import darkroom_dag

__all__ = ["darkroom_dag"]
