"""The stages of the pipeline, one folder each, in the order of the design."""
