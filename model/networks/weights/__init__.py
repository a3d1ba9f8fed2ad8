"""Weights files: safetensors, their header, and the open pack."""
