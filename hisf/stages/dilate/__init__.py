"""Dilation: masks of sources grow until their flux does not."""
