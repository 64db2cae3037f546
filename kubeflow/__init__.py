"""Kubeflow Pipelines and Vertex AI: compile, check, submit and schedule the graph, and run it in containers."""
