"""Appraisal: galaxies among the sources are judged and characterised."""
