"""Networks: architectures, sampling, normalisation, targets, inference. torch is imported in here only."""
