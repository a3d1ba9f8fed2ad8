"""Fine-tuning of the open network on an actor's own clips. Needs torch; runs in the worker, on one CPU thread."""
