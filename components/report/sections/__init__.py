"""The sections of the page, each a function from the report's data to a `Section`."""
