"""The configuration: its sections, its validation, and the inference of values that it leaves open."""
