"""The command line, one file for each kind of verb; ``headless.main`` runs it."""
