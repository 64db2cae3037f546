"""From the graph to a file that Kubeflow Pipelines or Vertex AI runs, and the check of such files."""
