"""Run the pipeline, from the request to the steps after the end of a run."""
