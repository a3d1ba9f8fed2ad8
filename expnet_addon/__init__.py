"""Between the model and the scene: rigs, keyframes, cameras, the worker process. Blender's data, no user interface."""
