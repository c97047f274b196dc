"""Between reading the cube and searching it: flags, inversion, noise and weights cubes, noise scaling, gain."""
