"""The gate on models: the Evaluator's decision and checks of new pictures, unless a person overrules them."""
