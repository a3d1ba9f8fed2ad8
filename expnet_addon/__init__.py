"""Connect the model to the scene: rigs, keyframes, cameras, the worker process. Has no user interface."""
