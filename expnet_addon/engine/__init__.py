"""The worker process as Blender sees it: its Python, its runtime, jobs and tasks. No bpy."""
