"""From what was read to examples: decoded, measured, counted and written."""
