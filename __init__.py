"""expnet: reads the expression of a face from images and puts it on a shape-key rig.

This folder is a Blender extension (``bl_ext.user_default.expnet``) and a Python package (``expnet``) at once,
so every import inside is relative. Blender is imported only by ``register``: ``import expnet.model`` needs numpy alone.
Scripts use the names of ``expnet_addon.scripting``, such as ``expnet.estimate``; they are imported on first use, so
that enabling the extension stays fast.
"""

from __future__ import annotations

# The names of scripting.__all__, here too so that nothing is imported to find them; a test compares both.
SCRIPTING = (
    "AS_RECORDED",
    "EstimatorOptions",
    "ImageFace",
    "InputError",
    "Keying",
    "WorkerFault",
    "add_head",
    "animate",
    "apply_performance",
    "estimate",
    "make_keys",
    "read_clip",
    "read_performance",
    "retarget",
)


def __getattr__(name: str) -> object:
    if name in SCRIPTING:
        from .expnet_addon import scripting

        return getattr(scripting, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *SCRIPTING})


def register() -> None:
    from . import operators, panels
    from .expnet_addon import headless
    from .expnet_addon.properties import character_settings as characters
    from .expnet_addon.properties import head_settings as heads
    from .expnet_addon.properties import own_head_settings as own_heads
    from .expnet_addon.properties import preferences
    from .expnet_addon.properties import scene_settings as properties

    for part in (preferences, properties, heads, own_heads, characters, operators, panels, headless):
        part.register()


def unregister() -> None:
    from . import operators, panels
    from .expnet_addon import headless
    from .expnet_addon.properties import character_settings as characters
    from .expnet_addon.properties import head_settings as heads
    from .expnet_addon.properties import own_head_settings as own_heads
    from .expnet_addon.properties import preferences
    from .expnet_addon.properties import scene_settings as properties

    for part in (headless, panels, operators, characters, own_heads, heads, properties, preferences):
        part.unregister()
