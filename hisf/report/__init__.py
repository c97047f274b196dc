"""A run to look at: one HTML page, and figures of its sources."""
