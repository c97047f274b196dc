"""Reliability: which sources are real."""
