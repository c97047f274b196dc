"""Compiled numerics on bare arrays, free of any knowledge of the pipeline; each has a plain twin in the tests."""
