"""The code that runs in the containers of a pipeline on a cluster."""
