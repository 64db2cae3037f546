"""Reports of a run to other systems: Prometheus metrics, MLflow, a webhook, a command."""
