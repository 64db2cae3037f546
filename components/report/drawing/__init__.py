"""Charts, pictures and markup that the report's sections are made of."""
