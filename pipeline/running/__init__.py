"""A run of the pipeline, from the request to what is done once it has ended."""
