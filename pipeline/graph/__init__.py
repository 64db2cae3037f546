"""The graph of components, and the nodes that depend on the environment that runs it."""
