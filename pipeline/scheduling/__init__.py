"""Schedule runs of the pipeline with systemd or cron."""
