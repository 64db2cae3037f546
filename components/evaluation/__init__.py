"""Read the Evaluator's results; and a TFMA metric of this project."""
