"""The configuration: its sections, its validation, and what is inferred where it is silent."""
