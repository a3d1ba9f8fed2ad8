"""Live: a head follows a camera, a file played in real time, or a Live Link Face stream; recorded as a take on request.

The worker streams faces (``Seen`` events). A timer of the operator takes the newest and moves the head. Nothing is
keyed before the end, and without a recording the head is then as it was before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np

from ...model.array_types import FloatArray
from ...model.errors import InputError
from ...model.face.semantics import OPEN_BASIS, OPEN_KEYS
from ...model.live.steady import Steady
from ...model.performance.face_performance import FacePerformance
from ...model.rotations import quaternions, rotations
from ...model.worker.messages import EstimatorOptions, LiveResult, SendTo
from ...model.worker.protocol import Seen
from ..engine import requests
from ..engine.jobs import Job
from ..engine.tasks import Task
from ..scene import rig
from ..scene.coordinates import object_pose
from .keying import AS_RECORDED, Keying
from .recording import from_neutral, performance_of

STEP = 0.02  # seconds between two looks for new faces without a window


@dataclass(frozen=True, eq=False)
class _Before:
    """How the head was before."""

    values: dict[str, float]
    gaze: tuple[float, float]
    location: tuple[float, ...]
    rotation: tuple[float, ...]
    rotation_mode: str


class LiveTask(Task[LiveResult]):
    """The live following of one head; ``step`` moves it, ``finish`` writes the recording."""

    def __init__(
        self,
        scene: bpy.types.Scene,
        head: bpy.types.Object,
        source: str,
        options: EstimatorOptions,
        keying: Keying,
        send: Sequence[SendTo] = (),
        host: str = "127.0.0.1",
        record: bool = False,
        smoothing: float = 0.0,
    ) -> None:
        if head["expnet_basis"] != OPEN_BASIS:
            raise InputError(f"'{head.name}' has other keys than the open head, which live needs: add an open head")
        super().__init__(
            "Live",
            requests.live(source, options, send, host, smoothing=smoothing),
            lambda reply, job: "",
            unit="pictures",
        )
        self._scene, self._head = scene.session_uid, head.session_uid
        self._keying = keying
        self._before = _state(head)
        self._first: FloatArray | None = None
        self._last: Seen | None = None
        self._neutral: FloatArray | None = None
        self._recorded: list[Seen] = []
        self._steady = Steady(smoothing)
        self._ended_by = ""
        self._restored = False
        self.paused = False
        self.recording = record
        self.stopping = False
        self.applied = 0

    @property
    def recorded(self) -> int:
        """Return the number of recorded moments."""
        return len(self._recorded)

    @property
    def last(self) -> Seen | None:
        """Return the newest moment."""
        return self._last

    def take_neutral(self) -> None:
        """Make the face as it is now the head's rest. Raises InputError where no face is seen."""
        if self._last is None or not self._last.confidence:
            raise InputError("No face is seen: look into the camera with a calm face")
        self._neutral = np.array(self._last.eta)

    def step(self) -> bool:
        """Move the head by the newest face; False once the source has ended or Stop was pressed."""
        assert isinstance(self._job, Job)
        try:
            running = self._job.poll()
        except InputError as error:
            if not self._recorded:
                raise
            self._ended_by, running = str(error), False  # the recording is kept
        newest, shown = None, None
        while self._job.seen:
            newest = self._job.seen.popleft()
            if self.recording and not self.paused:
                self._recorded.append(newest)
            self._last = newest
            shown = self._smoothed(newest) if newest.confidence else None
        if shown is not None and not self.paused:
            self._apply(shown)
        return running and not self.stopping

    def run(self, preferred_python: str = "") -> str:
        """Follow the source to its end, without a window."""
        self.start(preferred_python)
        try:
            assert isinstance(self._job, Job)
            while self.step():
                self._job.poll(timeout=STEP)
            return self.finish()
        finally:
            self.cancel()

    def finish(self) -> str:
        """Write the recording as a take, or leave the head as it was. Returns lines for the user."""
        try:
            self._restore()
            seen = sum(face.confidence > 0 for face in self._recorded)
            lines = [self._ended_by] if self._ended_by else []
            if not self._recorded:
                return "\n".join([*lines, f"Live: {self.applied} pictures shown, nothing recorded"])
            if seen < 2:
                raise InputError("Live: no face was seen while recording: nothing was written")
            head = _find(self._head)
            scene = next(each for each in bpy.data.scenes if each.session_uid == self._scene)
            from . import capture

            message = capture.key_performance(scene, head, self._performance(), self._keying)
            return "\n".join([*lines, message])
        finally:
            self.cancel()

    def cancel(self) -> None:
        """End the worker, and put the head back. Idempotent."""
        self._restore()
        super().cancel()

    def _smoothed(self, face: Seen) -> Seen:
        """Return the face as it is shown; the recording keeps it as it was read."""
        rotation = rotations(np.array(face.rotation))
        eta, gaze, rotation, translation = self._steady(
            face.time, np.array(face.eta), np.array(face.gaze), rotation, np.array(face.translation)
        )
        return replace(
            face,
            eta=tuple(eta.tolist()),
            gaze=tuple(gaze.tolist()),
            rotation=tuple(quaternions(rotation).tolist()),
            translation=tuple(translation.tolist()),
        )

    def _apply(self, face: Seen) -> None:
        head = _find(self._head)
        eta = np.array(face.eta)
        if self._neutral is not None:
            eta = from_neutral(performance_of([face]), self._neutral).eta[0]
        rig.set_expression(head, eta, np.array(face.gaze))
        location, quaternion = object_pose(rotations(np.array(face.rotation)), np.array(face.translation))
        if self._first is None:
            self._first = location
        if self._keying.head_motion != "NONE":
            head.rotation_mode = "QUATERNION"
            head.rotation_quaternion = quaternion.tolist()
        if self._keying.head_motion == "FULL":
            head.location = (np.array(self._before.location) + location - self._first).tolist()
        self.applied += 1

    def _performance(self) -> FacePerformance:
        performance = performance_of(self._recorded)
        return performance if self._neutral is None else from_neutral(performance, self._neutral)

    def _restore(self) -> None:
        if self._restored:
            return
        self._restored = True
        head = next((obj for obj in bpy.data.objects if obj.session_uid == self._head), None)
        if head is None:
            return
        blocks = head.data.shape_keys.key_blocks
        for name, value in self._before.values.items():
            if name in blocks:
                blocks[name].value = value
        head["gaze_yaw"], head["gaze_pitch"] = self._before.gaze
        head.rotation_mode = self._before.rotation_mode
        head.location, head.rotation_quaternion = self._before.location, self._before.rotation
        head.update_tag()


def live_keying(keying: Keying) -> Keying:
    """Return how a recording is keyed: at its true times, without camera, footage and sound."""
    return replace(
        AS_RECORDED, smoothing=keying.smoothing, head_motion=keying.head_motion, root=keying.root, source_times=True
    )


def _find(uid: int) -> Any:
    for obj in bpy.data.objects:
        if obj.session_uid == uid:
            return obj
    raise InputError("The face that live moved is gone")


def _state(head: bpy.types.Object) -> _Before:
    values = {block.name: block.value for block in head.data.shape_keys.key_blocks if block.name in OPEN_KEYS}
    return _Before(
        values,
        (float(head["gaze_yaw"]), float(head["gaze_pitch"])),
        tuple(head.location),
        tuple(head.rotation_quaternion),
        head.rotation_mode,
    )
