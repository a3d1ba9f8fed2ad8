"""Properties and preferences registered with Blender. Enabling the add-on imports them, so they need no numpy."""
