"""Parameters tuned against a truth, with what trials have in common computed once; beside the pipeline."""
