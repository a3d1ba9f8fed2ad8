"""A performance on the artist's own character: its names, its shape keys and bones, keys or drivers, and back."""
