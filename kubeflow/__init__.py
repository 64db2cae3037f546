"""Kubeflow Pipelines and Vertex AI: compiling, checking, submitting and scheduling the graph, and what runs in its containers."""
