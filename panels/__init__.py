"""What the artist sees. Panels draw properties and the running task's progress; they compute nothing."""

from __future__ import annotations

import bpy

from .sidebar import EXPNET_PT_animate, EXPNET_PT_face, EXPNET_PT_take, EXPNET_PT_which_face

register, unregister = bpy.utils.register_classes_factory(
    (EXPNET_PT_face, EXPNET_PT_animate, EXPNET_PT_which_face, EXPNET_PT_take)
)
