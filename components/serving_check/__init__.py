"""ServingCheck: compare an export's answers with those of the trained model."""
