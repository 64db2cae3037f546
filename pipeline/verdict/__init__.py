"""The end of a run: exit statuses, the outcomes of components, and the verdict."""
