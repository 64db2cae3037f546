"""The pipeline in real containers: the image is built by the Dockerfile, and each step runs in a container of it."""
