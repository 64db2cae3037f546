"""The curated schema as an artifact where no folder of the person who wrote it can be reached: on a cluster."""
