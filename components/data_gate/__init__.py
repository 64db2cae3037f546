"""The gate on data: end the run on anomalies against the schema, or on drift from the last accepted pictures."""
