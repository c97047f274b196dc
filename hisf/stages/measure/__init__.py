"""Parametrisation: one module per family of columns, and the catalogue they make (spec sofia2 §3.11)."""
