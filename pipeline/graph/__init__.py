"""The graph of components, and what differs between the environments that run it."""
