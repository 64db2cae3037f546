"""ML Metadata, and what it and the work folder know of earlier runs."""
