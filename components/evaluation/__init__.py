"""What the Evaluator wrote, read back, and a metric of the project's own."""
