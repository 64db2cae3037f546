"""How a run ended: exit statuses, the outcomes of components, and the verdict."""
