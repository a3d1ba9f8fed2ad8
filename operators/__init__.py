"""The operators, one file per verb. Each reads the context, calls ``expnet_addon`` and reports the result."""

from __future__ import annotations

import bpy

from ..expnet_addon.capture import everyone, faces, watched
from ..expnet_addon.engine import jobs
from . import (
    compare,
    confidence,
    drop_clip,
    live,
    live_link,
    old_takes,
    open_footage,
    own_head,
    own_head_click,
    people,
    poses,
    presets,
    retarget,
    retarget_table,
    runtime,
    shortcuts,
    take_list,
    task,
)
from .actor_face import EXPNET_OT_actor_face
from .add_face import EXPNET_OT_add_face
from .animate_footage import EXPNET_OT_animate_footage
from .apply_again import EXPNET_OT_apply_again
from .apply_identity import EXPNET_OT_apply_identity
from .cancel import EXPNET_OT_cancel
from .choose_face import EXPNET_OT_choose_face
from .discard_edits import EXPNET_OT_discard_edits
from .estimate_expression import EXPNET_OT_estimate_expression
from .find_faces import EXPNET_OT_find_faces
from .fine_tune import EXPNET_OT_fine_tune
from .import_weights import EXPNET_OT_import_weights
from .label_emotions import EXPNET_OT_label_emotions
from .neutral_from_frame import EXPNET_OT_neutral_from_frame
from .open_guide import EXPNET_OT_open_guide
from .remove_face import EXPNET_OT_remove_face
from .render_head import EXPNET_OT_render_head
from .try_it import EXPNET_OT_try_it

CLASSES = (
    EXPNET_OT_add_face,
    EXPNET_OT_actor_face,
    EXPNET_OT_estimate_expression,
    EXPNET_OT_animate_footage,
    EXPNET_OT_remove_face,
    EXPNET_OT_apply_identity,
    EXPNET_OT_apply_again,
    EXPNET_OT_discard_edits,
    EXPNET_OT_neutral_from_frame,
    EXPNET_OT_label_emotions,
    EXPNET_OT_import_weights,
    EXPNET_OT_fine_tune,
    EXPNET_OT_find_faces,
    EXPNET_OT_choose_face,
    EXPNET_OT_cancel,
    EXPNET_OT_open_guide,
    *people.CLASSES,
    *live.CLASSES,
    *drop_clip.CLASSES,
    *open_footage.CLASSES,
    *poses.CLASSES,
    *presets.CLASSES,
    *take_list.CLASSES,
    *compare.CLASSES,
    *confidence.CLASSES,
    EXPNET_OT_render_head,
    *retarget.CLASSES,
    *retarget_table.CLASSES,
    *live_link.CLASSES,
    *own_head.CLASSES,
    *own_head_click.CLASSES,
    *runtime.CLASSES,
    EXPNET_OT_try_it,
)

_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def register() -> None:
    _register_classes()
    bpy.utils.register_class(drop_clip.EXPNET_FH_clip)
    shortcuts.register()
    bpy.app.handlers.load_pre.append(task.end_before_load)
    bpy.app.handlers.load_post.append(old_takes.recognise_after_load)
    if not bpy.app.background:  # keep the worker between requests, so that torch is loaded once
        jobs.keep_worker()


def unregister() -> None:
    task.end_before_load()
    bpy.app.handlers.load_pre.remove(task.end_before_load)
    bpy.app.handlers.load_post.remove(old_takes.recognise_after_load)
    jobs.end_kept_worker()
    shortcuts.unregister()
    faces.forget()
    everyone.forget_portraits()
    watched.forget()
    bpy.utils.unregister_class(drop_clip.EXPNET_FH_clip)
    _unregister_classes()
