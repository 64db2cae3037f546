"""What a run reports to the outside: metrics, MLflow, a webhook, a command."""
