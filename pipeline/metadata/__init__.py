"""ML Metadata: its database, and the history of runs in it and in the work folder."""
