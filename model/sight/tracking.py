"""Tracking of one face through a clip: each frame is searched where the last ones showed the face.

Looks at several frames at once take a third of the time of single ones. So ``Follower.see_all`` predicts the crops of
a few frames, looks at all of them, and looks again where a crop was off: with the crop that following frame by frame
would have given. What is left changes eta by less than 0.01 on average.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..array_types import BoolArray, FloatArray, IntArray, UInt8Array
from ..camera import Camera, Crop
from ..errors import InputError
from ..networks.estimate import FaceEstimate, FindsFaces, Located, SeesFaces
from ..networks.two_looks import read_with_mirror_images
from ..performance.face_performance import FacePerformance
from .batches import ReadInBatches
from .finder import FoundFace, crop_of_box, find_faces, lies_in, refined, same_face
from .video import Clip, Frame

LOST = 0.35  # minimum confidence at which a followed face is not lost
NOTHING = 0.1  # confidence under which there is no second look
BACK = 0.6  # minimum confidence of a lost face that is found again, or of a face after a cut
FIND_EVERY = 8  # frames between searches while there is no face, so that an empty clip stays cheap
WAIT = 60  # frames for which a lost face is looked for in its last place, which is cheaper than a search
JUMP = 0.08  # a face farther from its crop (in sides, log scale or radians) is looked at again
STILL = 0.02  # movements of this size are mostly the network's noise: the crop follows them slowly
NEAR = 0.01  # a predicted crop this near to the face's own (in sides, log scale or radians) is as good as any
EQUAL = 0.003  # crops nearer than this are not worth another look
DAMPING = 0.8  # of the predicted movement, from frame to frame
AHEAD_BYTES = 64_000_000  # of pictures that are held for looks at several frames
CUT = 18.0  # grey levels; mean difference of two frames over the picture at a cut

Find = Callable[[UInt8Array, FindsFaces, bool], list[FoundFace]]


@dataclass(frozen=True)
class Choice:
    """The face to follow: the one in a ``box`` or the ``face``-th largest; without either the largest.

    ``box`` is (x, y, width, height) in the first frame; ``face`` counts from 0.
    """

    box: Sequence[float] | None = None
    face: int | None = None


LARGEST = Choice()


class Cuts:
    """Detector of cuts: a frame that differs much from the one before it, over the whole picture."""

    def __init__(self) -> None:
        self._thumbnail: IntArray | None = None

    def is_cut(self, image: UInt8Array) -> bool:
        """Compare the next frame, (H, W, 3) uint8 BGR, with the last one."""
        before, self._thumbnail = self._thumbnail, _thumbnail(image)
        return before is not None and _differ(before, self._thumbnail)

    def first_in(self, images: Sequence[UInt8Array]) -> int:
        """Return how many of the next frames come before a cut; they are still to be passed."""
        before = self._thumbnail
        for i, image in enumerate(images):
            after = _thumbnail(image)
            if before is not None and _differ(before, after):
                return i
            before = after
        return len(images)


def _thumbnail(image: UInt8Array) -> IntArray:
    step = max(1, max(image.shape[:2]) // 64)
    return image[step // 2 :: step, step // 2 :: step, 1].astype(np.int16)


def _differ(before: IntArray, after: IntArray) -> bool:
    return float(np.abs(after - before).mean()) > CUT


class Follower:
    """Tracker of one face, frame by frame; ``see`` returns its place, or None where the face is not visible."""

    def __init__(
        self, estimator: FindsFaces, camera: Camera, choice: Choice = LARGEST, find: Find = find_faces
    ) -> None:
        self._estimator = estimator
        self._camera = camera
        self._choice = choice
        self._find = find
        self._crop: Crop | None = None  # where to look next
        self._last: Crop | None = None  # the last crop of the face, also after its loss
        self._lost_for = 0  # frames
        self._step = np.zeros(4)  # the face's movement from frame to frame, as ``Crop.moved`` takes it
        self._cuts = Cuts()
        self._started = False
        self.cut = False  # whether the last picture begins another shot

    def see_all(self, images: Sequence[UInt8Array]) -> list[tuple[Located | None, bool]]:
        """Look at the next frames; return what ``see`` and ``cut`` return for each, but for the choice of crops."""
        seen: list[tuple[Located | None, bool]] = []
        if len(images) > 1 and self._last is not None and not self._lost_for:
            seen = [(look, False) for look in self._ahead(images[: self._cuts.first_in(images)])]
        for image in images[len(seen) :]:
            one = self.see(image)
            seen.append((one, self.cut))
        return seen

    def _ahead(self, images: Sequence[UInt8Array]) -> list[Located]:
        """Look at several frames; return the looks at those up to the first that needs more attention."""
        if len(images) < 2:
            return []
        assert self._crop is not None and self._last is not None
        crops = predicted(self._crop, self._last, self._step, len(images))
        looks = self._looks(images, crops)
        good = self._good(looks, crops, images[0])
        path = [self._crop]  # the crops frame by frame
        for look in looks[: good - 1]:
            path.append(followed(path[-1], look.crop[0]))
        off = [i for i in range(1, good) if _way(crops[i], looks[i].crop[0]) > NEAR and _way(crops[i], path[i]) > EQUAL]
        if off:
            for i, look in zip(off, self._looks([images[i] for i in off], [path[i] for i in off]), strict=True):
                crops[i], looks[i] = path[i], look
            good = self._good(looks, crops, images[0])
        if good:
            own = looks[good - 1].crop[0]
            self._step = looks[0].crop[0].offset_to(own) / max(good - 1, 1)
            self._last, self._crop = own, followed(crops[good - 1], own)
            self._cuts.is_cut(images[good - 1])
            self.cut = False
        return looks[:good]

    def _looks(self, images: Sequence[UInt8Array], crops: Sequence[Crop]) -> list[Located]:
        looks = self._estimator.estimate(images, crops, [self._camera] * len(images))
        return [looks.only(i) for i in range(len(images))]

    @staticmethod
    def _good(looks: Sequence[Located], crops: Sequence[Crop], image: UInt8Array) -> int:
        """Return how many looks precede the first that ``see`` would not take as it is."""
        height, width = image.shape[:2]
        for i, (look, crop) in enumerate(zip(looks, crops, strict=True)):
            own = look.crop[0]
            if look.confidence[0] < LOST or not lies_in(own, width, height) or _way(crop, own) > JUMP:
                return i
        return len(looks)

    def see(self, image: UInt8Array) -> Located | None:
        """Look at the next frame, (H, W, 3) uint8 BGR."""
        self._step = np.zeros(4)
        if self._lost_for < WAIT:
            self._crop = self._crop or self._last
        self.cut = cut = self._cuts.is_cut(image)
        if cut:  # or a flash, or a fast pan: the face may be in the same place or anywhere
            self._last = None
            self._lost_for = 0
        seen = self._look(image, BACK if cut or self._lost_for else NOTHING) if self._crop else None
        if seen is None and self._lost_for % FIND_EVERY == 0:
            self._crop = self._found(image)
            seen = self._look(image, NOTHING) if self._crop else None
        if seen is None:
            self._crop = None
            self._lost_for += 1
            return None
        self._lost_for = 0
        self._last = seen.crop[0]
        assert self._crop is not None
        self._crop = followed(self._crop, seen.crop[0])
        return seen

    def _look(self, image: UInt8Array, least: float) -> Located | None:
        """Return what is seen in the crop; None where the first look is less confident than ``least``."""
        assert self._crop is not None
        height, width = image.shape[:2]
        seen = self._estimator.estimate([image], [self._crop], [self._camera])
        if seen.confidence[0] < least:
            return None
        if _way(self._crop, seen.crop[0]) > JUMP:
            self._crop = seen.crop[0]
            if not lies_in(self._crop, width, height):
                return None
            seen = self._estimator.estimate([image], [self._crop], [self._camera])
        if seen.confidence[0] < LOST or not lies_in(seen.crop[0], width, height):
            return None
        return seen

    def _found(self, image: UInt8Array) -> Crop | None:
        """Search a frame for the chosen face and return its crop."""
        first, self._started = not self._started, True
        if first and self._choice.box is not None:
            box, self._choice = crop_of_box(self._choice.box, (image.shape[1], image.shape[0])), LARGEST
            return refined(image, [box], self._estimator)[0].crop
        thorough = first and self._choice.face is not None  # small faces count, too
        faces = self._find(image, self._estimator, thorough)
        if first and not faces and not thorough:
            faces = self._find(image, self._estimator, True)
        if self._last is not None:
            return _nearest(faces, self._last, self._lost_for)
        if self._choice.face is None:
            return faces[0].crop if faces else None
        if self._choice.face >= len(faces):
            if first and faces:
                raise InputError(_no_such_face(self._choice.face, len(faces)))
            return None  # not visible yet
        chosen, self._choice = faces[self._choice.face], LARGEST
        return chosen.crop


def perform(
    clip: Clip,
    estimator: SeesFaces,
    box: Sequence[float] | None = None,
    face: int | None = None,
    lens_mm: float = 50.0,
    on_frame: Callable[[int], None] = lambda done: None,
    find: Find = find_faces,
    on_look: Callable[[UInt8Array, FaceEstimate | None], None] = lambda image, seen: None,
) -> FacePerformance:
    """Track one face through a clip and return its performance.

    box, face: as in ``Choice``. ``on_frame`` gets the number of finished frames and may raise to stop. ``on_look`` gets
    the last picture of each batch of frames and what was read in it, before that. Frames are released as they are
    read: memory does not grow with the clip, except for some 1,100 bytes a frame.
    """
    camera = camera_of(clip, lens_mm)
    follower = Follower(estimator.finding, camera, Choice(box, face), find)
    cuts: list[int] = []
    done = 0

    def show(image: UInt8Array, read: FaceEstimate | None, count: int) -> None:
        nonlocal done
        on_look(image, read)
        for _ in range(count):
            done += 1
            on_frame(done)

    with ReadInBatches(estimator, camera, show) as reading:
        number = 0
        for images in _groups(clip, ahead_of(estimator, clip.size)):
            for image, (seen, cut) in zip(images, follower.see_all(images), strict=True):
                reading.add(image, seen)
                if cut:
                    cuts.append(number)
                number += 1
        rows, alpha = reading.finish()
    return performance_of(clip, estimator, rows, alpha, lens_mm, cuts)


def ahead_of(estimator: SeesFaces, size: tuple[int, int]) -> int:
    """Return how many pictures of a size (width, height) are looked at in one batch."""
    return max(1, min(estimator.looks_ahead, AHEAD_BYTES // (3 * size[0] * size[1])))


def _groups(clip: Iterable[Frame], count: int) -> Iterator[list[UInt8Array]]:
    """Yield the pictures in lists of ``count``; the last one may be shorter."""
    pictures = (frame.image for frame in clip)
    while group := list(islice(pictures, count)):
        yield group


def camera_of(clip: Clip, lens_mm: float) -> Camera:
    """Return the camera of a clip's pictures. Raises InputError for a lens that cannot be."""
    if not 1 <= lens_mm <= 10_000:
        raise InputError(f"a lens of {lens_mm} mm cannot be: use the footage's, or 50")
    return Camera.for_image(*clip.size, lens_mm)


def performance_of(
    clip: Clip, estimator: SeesFaces, rows: FloatArray, alpha: FloatArray, lens_mm: float, cuts: Sequence[int]
) -> FacePerformance:
    """Build the performance of one face from the rows (``batches.row_of``) of all pictures of a clip read to its end.

    ``cuts`` are the pictures that begin another shot.
    """
    placement = clip.placement()
    unread, damage = clip.shortfall()
    table = rows[placement.pictures]
    times = placement.frames / float(placement.rate)
    keys = len(estimator.expression_keys)
    eta, gaze, rotation, translation, crop, hidden, confidence = np.split(
        table, np.cumsum([keys, 2, 9, 3, 4, 1]), axis=1
    )
    return FacePerformance(
        times=times,
        eta=eta,
        gaze=gaze,
        rotation=rotation.reshape(-1, 3, 3),
        translation=translation,
        crop=crop,
        confidence=confidence[:, 0],
        alpha=alpha,
        expression_keys=tuple(estimator.expression_keys),
        basis=estimator.basis,
        source=clip.source,
        fps=float(placement.rate),
        image_size=clip.size,
        lens_mm=lens_mm,
        unread=unread,
        damage=damage,
        sound_start=clip.sound_start,
        mouth_hidden=hidden[:, 0] if np.isfinite(hidden).any() else None,
        cuts=tuple(times[np.flatnonzero(np.isin(placement.pictures, cuts) & _first(placement.pictures))].tolist()),
    )


def _first(pictures: IntArray) -> BoolArray:
    """Return which frames (F,) are the first ones to show their picture."""
    first: BoolArray = np.diff(pictures, prepend=-1) != 0
    return first


def look(
    image: UInt8Array,
    estimator: SeesFaces,
    box: Sequence[float] | None = None,
    face: int | None = None,
    lens_mm: float = 50.0,
) -> FaceEstimate:
    """Estimate the chosen face of a still image (a batch of one). Raises InputError when there is no face."""
    seen, camera = looked_for(image, estimator.finding, box, face, lens_mm)
    return read_with_mirror_images(estimator, [image], [camera], seen, [box])


def looked_for(
    image: UInt8Array,
    finding: FindsFaces,
    box: Sequence[float] | None = None,
    face: int | None = None,
    lens_mm: float = 50.0,
) -> tuple[Located, Camera]:
    """Find the chosen face of a still image (a batch of one, still to be read), and return the image's camera too.

    Raises InputError when there is no face.
    """
    height, width = image.shape[:2]
    camera = Camera.for_image(width, height, lens_mm)
    if box is not None:
        crop = refined(image, [crop_of_box(box, (width, height))], finding)[0].crop
    else:
        faces = find_faces(image, finding)
        if not faces:
            raise InputError("no face was found: draw a box around it")
        if (face or 0) >= len(faces):
            raise InputError(_no_such_face(face or 0, len(faces)))
        crop = faces[face or 0].crop
    return finding.estimate([image], [crop], [camera]), camera


def _no_such_face(face: int, count: int) -> str:
    return f"only {count} of the {face + 1} largest faces {'was' if count == 1 else 'were'} found: choose another face"


def _nearest(faces: list[FoundFace], last: Crop, lost_for: int) -> Crop | None:
    """Return the crop of the face nearest to the lost one; None where it is farther than a face can have moved."""

    def way(face: FoundFace) -> float:
        return float(np.abs(last.offset_to(face.crop)[:3]).max())

    near = min(faces, key=way, default=None)
    if near is None or (way(near) > 0.5 + 0.1 * lost_for and not same_face(near.crop, last)):
        return None
    return near.crop


def followed(crop: Crop, own: Crop) -> Crop:
    """Return the next frame's crop, on the face.

    Small movements are smoothed, since noise of the crop shows as noise in the curves.
    """
    offset = crop.offset_to(own)
    share = np.clip(np.abs(offset).max() / (2 * STILL), 0.1, 1.0)
    return crop.moved(*(share * offset))


def predicted(crop: Crop, own: Crop, step: FloatArray, count: int) -> list[Crop]:
    """Return the crops of the next frames, from the first one's.

    ``own`` is the face's own crop in the last frame. It is expected to move on by ``step`` a frame, less and less.
    """
    crops = [crop]
    for _ in range(count - 1):
        step = DAMPING * step
        own = own.moved(*step)
        crops.append(followed(crops[-1], own))
    return crops


def _way(crop: Crop, other: Crop) -> float:
    """Return the largest of the differences of two crops, in sides, log scale and radians."""
    return float(np.abs(crop.offset_to(other)).max())
