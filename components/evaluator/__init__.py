"""TFX's Evaluator, which shows how far it has come."""
