"""Compile the graph to a file for Kubeflow Pipelines or Vertex AI, and check such files."""
