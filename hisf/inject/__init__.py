"""Mock galaxies injected into an observed cube, to see what fraction of them the pipeline finds."""
