"""The published experiments around ExpNet, as the verbs of ``expnet research``. No bpy."""
