"""Kubeflow Pipelines 2.17 without a cluster: what its compiler, Argo, driver and launcher do to a compiled pipeline."""
