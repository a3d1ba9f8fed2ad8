"""What runs without an artist, for the command line and the batch: a clip to files, and what is told meanwhile."""
