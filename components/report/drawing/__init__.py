"""Charts, pictures and markup for the report's sections."""
