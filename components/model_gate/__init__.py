"""The gate on models: the Evaluator's decision and what the new pictures are like, unless a person decides otherwise."""
