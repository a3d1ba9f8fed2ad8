"""Cached files in the user's folder: converted face models, and maps between expression bases."""
