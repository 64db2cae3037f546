"""Kubeflow Pipelines: the graph of `pipeline.graph.create_pipeline` is the one to compile; nothing here does so yet."""
