"""Runs and schedules on a server of Kubeflow Pipelines or on Vertex AI."""
