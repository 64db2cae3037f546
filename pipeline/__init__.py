"""The pipeline: its configuration, its graph, its runners and the command line."""
