"""The command line, a file for each kind of verb; ``headless.main`` runs it."""
