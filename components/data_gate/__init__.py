"""The gate on data: anomalies against the schema, or drift from the pictures before, end the run."""
