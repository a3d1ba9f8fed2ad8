"""The actor's face from pictures: alpha, and a texture for the open head's UVs."""
