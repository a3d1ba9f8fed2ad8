"""The verbs of ``expnet research``, a line each.

All verbs' modules are imported for the help, so a module imports scikit-learn, torch and the like inside ``run``.
"""

from __future__ import annotations

from .annotate.verbs import ANNOTATE_VERBS
from .deepexp3d.command import DEEPEXP3D_VERBS
from .emotions.command import EMOTION_VERBS
from .fine_tuning.command import FINE_TUNE_VERBS
from .label.verbs import LABEL_VERBS
from .pose_and_landmarks.command import POSE_VERBS
from .realy.command import REALY_VERBS
from .sheet.command import SHEET_VERBS
from .stress.command import STRESS_VERBS
from .verb import Verb

VERBS: tuple[Verb, ...] = (
    *LABEL_VERBS,
    *EMOTION_VERBS,
    *SHEET_VERBS,
    *REALY_VERBS,
    *STRESS_VERBS,
    *DEEPEXP3D_VERBS,
    *ANNOTATE_VERBS,
    *POSE_VERBS,
    *FINE_TUNE_VERBS,
)

__all__ = ["VERBS", "Verb"]
