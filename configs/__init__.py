"""One configuration per data set; `--config NAME` or `--dataset NAME` finds them here."""
