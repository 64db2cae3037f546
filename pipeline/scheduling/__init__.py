"""Jobs that run the pipeline at set times, kept by systemd or cron."""
