"""Processing without a user interface, for the command line and the batch: from a clip to files, with progress."""
