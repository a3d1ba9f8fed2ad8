"""What is registered with Blender: properties and preferences. Imported when the add-on is enabled, without numpy."""
