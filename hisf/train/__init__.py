"""Training of networks on mock galaxies in simulated or observed noise; beside the pipeline: `hisf train`."""
