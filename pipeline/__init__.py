"""The pipeline: its configuration, its graph, running it, and the command line."""
