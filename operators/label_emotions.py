from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..expnet_addon.capture import chosen
from .reporting import reports
from .take_operator import TakeOperator


class EXPNET_OT_label_emotions(TakeOperator, bpy.types.Operator):
    bl_idname = "expnet.label_emotions"
    bl_label = "Label Emotions"
    bl_description = "Write a curve for each emotion, and markers where another becomes the strongest"

    classifier: StringProperty(  # type: ignore[valid-type]
        name="Classifier",
        description="A file of 'expnet research train-emotion-head' or 'emotions --save'. Empty: what is chosen below",
        subtype="FILE_PATH",
    )
    by: EnumProperty(  # type: ignore[valid-type]
        name="Without a File",
        items=(
            ("HEAD", "Emotion Head", "A small network on the coefficients, trained on synthetic faces only"),
            ("EMFACS", "EMFACS", "Coefficients compared with prototypes: a heuristic without training"),
        ),
        default="HEAD",
    )
    curves: BoolProperty(  # type: ignore[valid-type]
        name="Curves", description="A custom property of the head for each emotion, 0 to 1", default=True
    )
    markers: BoolProperty(  # type: ignore[valid-type]
        name="Markers", description="Timeline markers where another emotion becomes the strongest", default=True
    )

    text: BoolProperty(  # type: ignore[valid-type]
        name="Text",
        description="Name and share of the strongest emotion before the camera, in the viewport and in renders",
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        asked: set[str] = context.window_manager.invoke_props_dialog(self)
        return asked

    @reports
    def execute(self, context: bpy.types.Context) -> str:
        from ..expnet_addon.scene import emotion_track

        classifier = bpy.path.abspath(self.classifier) if self.classifier else ""
        face = chosen.face(context)
        by, curves, markers = self.by, self.curves, self.markers
        return emotion_track.label_take(context.scene, face, classifier, curves, markers, text=self.text, by=by)
