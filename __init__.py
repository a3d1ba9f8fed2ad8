"""expnet: reads the expression of a face from images and puts it on a shape-key rig.

This folder is a Blender extension (``bl_ext.user_default.expnet``) and a Python package (``expnet``) at once,
so every import inside is relative. Blender is imported only by ``register``: ``import expnet.model`` needs numpy alone.
"""

from __future__ import annotations


def register() -> None:
    from . import operators, panels
    from .expnet_addon import headless
    from .expnet_addon.properties import character_settings as characters
    from .expnet_addon.properties import preferences
    from .expnet_addon.properties import scene_settings as properties

    for part in (preferences, properties, characters, operators, panels, headless):
        part.register()


def unregister() -> None:
    from . import operators, panels
    from .expnet_addon import headless
    from .expnet_addon.properties import character_settings as characters
    from .expnet_addon.properties import preferences
    from .expnet_addon.properties import scene_settings as properties

    for part in (headless, panels, operators, characters, properties, preferences):
        part.unregister()
