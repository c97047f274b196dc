"""Products: catalogues, masks, noise; written beside, then renamed."""
