"""Blender's side of the worker process: its Python, its runtime, jobs and tasks. No bpy."""
