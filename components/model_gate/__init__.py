"""The gate on models: what the Evaluator decided, unless a person decides otherwise."""
