"""Engines that run here for the tests, in processes of their own, and tests with them."""
