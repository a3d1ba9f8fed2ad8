"""The contents of a Blender scene: heads, their materials and keys, camera and light, footage and sound, rendering."""
