"""The verbs and options of the command line: ``parser()``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ...model.builtin import OPEN
from ...model.errors import InputError
from ...model.retargeting.schemes import SCHEMES
from ...model.worker.messages import LIVE_SMOOTHING
from ..unattended import animate
from . import batch, estimate, fill, frames, heads, likeness, live, own_head, research, retarget


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than one")
    return number


def _smoothing(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:  # nan, too
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def _neutral(text: str) -> str:
    if text not in ("none", "auto") and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not none, auto or a frame of the clip, such as 120")
    return text


def _height(text: str) -> int:
    number = _positive(text)
    if number > 16384:  # an image would take gigabytes
        raise argparse.ArgumentTypeError(f"{text} is more than 16384")
    return number


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0, from which they are counted")
    return number


def _lens(text: str) -> float:
    number = float(text)
    if not 1 <= number <= 10000:  # nan, too
        raise argparse.ArgumentTypeError(f"{text} is no focal length from 1 to 10000 mm")
    return number


def _rate(text: str) -> float | str:
    if text in ("clip", "keep"):
        return text
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 1 <= rate <= 1000:  # nan, too
        raise argparse.ArgumentTypeError(f"{text} is not clip, keep or a rate from 1 to 1000")
    return rate


class _Parser(argparse.ArgumentParser):
    """A parser that raises InputError. With ``verbs_elsewhere`` the words after its verb are parsed there."""

    verbs_elsewhere: Callable[[type[argparse.ArgumentParser], str, Sequence[str]], Any] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self.verbs_elsewhere:
            return self.verbs_elsewhere(_Parser, self.prog, args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see '{self.prog} --help')")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line, which raises InputError for invalid arguments."""
    estimator = _Parser(add_help=False)
    estimator.add_argument("--estimator", default=OPEN, metavar="open|PATH", help="weights: open, a file or a folder")
    estimator.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    estimator.add_argument(
        "--runtime",
        default="auto",
        choices=("auto", "full", "light"),
        help="what runs the network: full is torch, light is OpenCV alone; auto: full where it is",
    )
    which = estimator.add_mutually_exclusive_group()
    which.add_argument(
        "--box", type=float, nargs=4, metavar=("X", "Y", "W", "H"), help="where the face is at first, pixels"
    )
    which.add_argument("--face", type=_natural, metavar="N", help="which face when there are several; 0 is the largest")
    crowd = _Parser(add_help=False)
    crowd.add_argument(
        "--everyone", action="store_true", help="all people of the clip: a head, a take and numbered tables for each"
    )
    crowd.add_argument(
        "--fit",
        action="store_true",
        help="read the clip twice and refine the curves over all frames; open network only",
    )
    crowd.add_argument(
        "--emotions",
        action="store_true",
        help="write name and share of the strongest emotion on the video, by a heuristic without training",
    )
    official = estimator.add_argument_group("with the authors' networks (import-weights)")
    official.add_argument(
        "--preprocessing", default="release", choices=("release", "paper"),
        help="how the face is cut out: as their program does it, or as their paper says",
    )  # fmt: skip
    official.add_argument(
        "--jpeg", action=argparse.BooleanOptionalAction, default=True,
        help="pass the crop through a JPEG file, as their program does",
    )  # fmt: skip
    model = _Parser(add_help=False)
    model.add_argument("--face-model", default=OPEN, metavar="open|PATH", help="the head: open, or a face model's file")
    keying = _Parser(add_help=False)
    keying.add_argument("--smoothing", type=_smoothing, default=0.5, metavar="S", help="0 is off, 1 is strong (0.5)")
    keying.add_argument(
        "--neutral", type=_neutral, default="none", metavar="none|auto|FRAME",
        help="the actor's face at rest, which becomes the head's: found in the quietest frames, or a frame from 0",
    )  # fmt: skip
    keying.add_argument(
        "--identity", action=argparse.BooleanOptionalAction, default=True, help="give the head the clip's face shape"
    )
    keying.add_argument(
        "--fps", type=_rate, default="clip", metavar="clip|keep|N",
        help="the scene's frame rate: the clip's, Blender's own, or N, also of a folder of images (else 24)",
    )  # fmt: skip
    keying.add_argument("--lens", type=_lens, default=50.0, metavar="MM", help="focal length on a 36 mm sensor (50)")
    look = _Parser(add_help=False)
    look.add_argument(
        "--engine", choices=("auto", "workbench", "eevee", "cycles"), help="what renders; auto: the quickest that works"
    )
    look.add_argument("--samples", type=_positive, metavar="N", help="of EEVEE (16) or Cycles (12)")
    look.add_argument("--height", type=_height, metavar="PIXELS", help="of the picture (the footage's, at most 720)")
    video = _Parser(add_help=False)
    video.add_argument("--layout", choices=("beside", "over"), default="beside", help="the head and the footage")

    whole = _Parser(prog="expnet", description="Reads the expression of a face from images and footage.")
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB")

    estimate_verb = verbs.add_parser(
        "estimate", parents=[model, estimator], help="expression, identity and pose of the face in images"
    )
    estimate_verb.add_argument(
        "images", nargs="+", metavar="IMAGE|FOLDER|LIST.csv",
        help="images, folders of them, or lists of them with boxes: ID,FILE,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT",
    )  # fmt: skip
    estimate_verb.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    estimate_verb.add_argument("--csv", type=Path, metavar="FILE", help="write a table, a row for each image")
    estimate_verb.add_argument(
        "--ply", type=Path, metavar="FOLDER", help="write each face as a mesh, NAME.ply or ID.ply"
    )
    estimate_verb.set_defaults(run=lambda a: estimate.estimate(fill.estimate_options(a)))

    animate_verb = verbs.add_parser(
        "animate", parents=[model, estimator, crowd, keying, look, video], help="a head keyed from a clip"
    )
    animate_verb.add_argument("clip", metavar="CLIP", help="a movie, or a folder of images")
    animate_verb.add_argument(
        "--out", type=Path, metavar="SHOT.blend|glb", help="the scene: head, keys, camera, footage"
    )
    animate_verb.add_argument("--render", type=Path, metavar="SHOT.mp4", help="a video of footage and head")
    animate_verb.add_argument(
        "--performance", type=Path, action="append", default=[], metavar="SHOT.npz|csv|json",
        help="the coefficients over time, smoothed like the keys; may be repeated",
    )  # fmt: skip
    animate_verb.add_argument(
        "--live-link", type=Path, action="append", default=[], metavar="SHOT.csv",
        help="the same as the Live Link Face app records it: ARKit's 52 shapes, head and eyes, with time code",
    )  # fmt: skip
    animate_verb.add_argument("--first", type=_natural, metavar="FRAME", help="first frame of the clip to read, from 0")
    animate_verb.add_argument("--last", type=_natural, metavar="FRAME", help="last frame of the clip to read")
    animate_verb.set_defaults(run=lambda a: animate.animate(fill.animate_options(a)))

    retarget_verb = verbs.add_parser(
        "retarget", help="a performance, or a Live Link Face recording, on your own character"
    )
    retarget_verb.add_argument("--performance", type=Path, required=True, metavar="SHOT.npz|RECORDING.csv")
    retarget_verb.add_argument("--character", type=Path, metavar="HERO.blend", help="without it: the built-in head")
    retarget_verb.add_argument(
        "--object", action="append", default=[], metavar="NAME",
        help="the character's meshes or armature in the .blend; may be repeated (found by their shape keys)",
    )  # fmt: skip
    retarget_verb.add_argument(
        "--names", type=str.upper, default="AUTO", choices=("AUTO", *SCHEMES), help="what they are named after"
    )
    retarget_verb.add_argument("--preset", type=Path, metavar="TABLE.json", help="a table, instead of one by the names")
    retarget_verb.add_argument("--save-preset", type=Path, metavar="TABLE.json", help="write the table that was used")
    retarget_verb.add_argument("--out", type=Path, metavar="HERO_SHOT.blend|glb", help="the character, keyed")
    retarget_verb.add_argument(
        "--live-link", type=Path, metavar="SHOT.csv", help="the performance as the app records it"
    )
    retarget_verb.add_argument(
        "--fps", choices=("clip", "keep"), default="clip", help="the scene's: the clip's, or its own"
    )
    retarget_verb.add_argument(
        "--recording-fps", type=float, metavar="N", help="the recording's true rate, such as 29.97"
    )
    retarget_verb.add_argument(
        "--swap-sides", action="store_true",
        help="exchange left and right of jaw and mouth, which some versions of the app name the wrong way round",
    )  # fmt: skip
    retarget_verb.set_defaults(run=lambda a: retarget.retarget(fill.retarget_options(a)))

    rig_verb = verbs.add_parser("rig", parents=[model], help="a head without animation")
    rig_verb.add_argument("--out", type=Path, required=True, metavar="RIG.blend")
    rig_verb.set_defaults(run=lambda a: heads.rig(fill.rig_options(a)))

    likeness_verb = verbs.add_parser(
        "likeness", parents=[estimator], help="a head that looks like the person in photos or a clip"
    )
    likeness_verb.add_argument("pictures", nargs="+", metavar="PHOTO|FOLDER|CLIP", help="all of one person")
    likeness_verb.add_argument("--out", type=Path, metavar="HEAD.blend|glb", help="the head; its skin lies beside it")
    likeness_verb.add_argument("--texture", type=Path, metavar="SKIN.png", help="its skin alone, a texture")
    likeness_verb.add_argument("--lens", type=_lens, default=50.0, metavar="MM", help="focal length (50)")
    likeness_verb.set_defaults(face_model=OPEN, run=lambda a: likeness.likeness(fill.likeness_options(a)))

    own_verb = verbs.add_parser("own-head", help="expression keys for a head of your own, of any topology")
    own_verb.add_argument(
        "scene", type=Path, metavar="HEAD.blend|obj|glb", help="the head at rest, with eyes and teeth"
    )
    own_verb.add_argument("--out", type=Path, required=True, metavar="KEYS.blend|glb", help="the head with its keys")
    own_verb.add_argument(
        "--object", action="append", default=[], metavar="NAME", help="a mesh of the head; may be repeated (all)"
    )
    own_verb.add_argument(
        "--names", default="open", choices=("open", "arkit"), help="ExpNet's 29 keys (open) or ARKit's 52"
    )
    own_verb.add_argument("--symmetric", action="store_true", help="the right side's keys mirror the left side's")
    own_verb.add_argument("--without-eyes", action="store_true", help="the head has no eyeballs")
    own_verb.add_argument(
        "--existing", default="ask", choices=("ask", "replace", "keep"),
        help="shape keys of the same names; ask: end with an error",
    )  # fmt: skip
    own_verb.set_defaults(run=lambda a: own_head.own_head(fill.own_head_options(a)))

    live_verb = verbs.add_parser(
        "live", parents=[estimator], help="a face in real time: from a camera, sent to other programs, recorded"
    )
    live_verb.add_argument("source", metavar="camera:N|livelink:PORT|CLIP", help="a clip is played at its own speed")
    live_verb.add_argument("--send", choices=("vmc", "vrchat", "livelink"), help="to VSeeFace, VRChat or Unreal by UDP")
    live_verb.add_argument("--to", metavar="HOST:PORT", help="where (this machine, the program's usual port)")
    live_verb.add_argument("--listen", default="127.0.0.1", metavar="HOST", help="of livelink; 0.0.0.0: every network")
    live_verb.add_argument("--performance", type=Path, metavar="SHOT.npz|csv|json", help="record, with the true times")
    live_verb.add_argument("--seconds", type=float, metavar="N", help="end after that time; else by Ctrl+C")
    live_verb.add_argument(
        "--smoothing",
        type=_smoothing,
        default=LIVE_SMOOTHING,
        metavar="S",
        help=f"of what is sent; 0 is off ({LIVE_SMOOTHING})",
    )
    live_verb.add_argument("--lens", type=_lens, default=50.0, metavar="MM", help="focal length (50)")
    live_verb.set_defaults(face_model=OPEN, run=lambda a: live.live(fill.live_options(a)))

    render_verb = verbs.add_parser("render", parents=[look], help="frames of a scene, such as a share of a farm's work")
    render_verb.add_argument("scene", type=Path, metavar="SHOT.blend")
    render_verb.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for 0001.png and so on")
    render_verb.add_argument("--frames", metavar="A-B", help="which (the scene's)")
    render_verb.set_defaults(run=lambda a: frames.render(fill.render_options(a)))

    encode_verb = verbs.add_parser("encode", help="a folder of rendered frames as a video")
    encode_verb.add_argument("folder", type=Path, metavar="FOLDER")
    encode_verb.add_argument("--out", type=Path, required=True, metavar="SHOT.mp4")
    encode_verb.add_argument("--fps", type=float, default=24.0, metavar="N", help="(24)")
    encode_verb.set_defaults(run=lambda a: frames.encode(fill.encode_options(a)))

    batch_verb = verbs.add_parser(
        "batch", parents=[model, estimator, crowd, keying, look, video], help="animate for every clip of a folder"
    )
    batch_verb.add_argument(
        "clips", nargs="+", metavar="FOLDER|GLOB", help="folders of clips, patterns such as '*.mov'"
    )
    batch_verb.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="for the scenes, report.html, records"
    )
    batch_verb.add_argument("--csv", action="store_true", help="write the coefficients as tables too")
    batch_verb.add_argument("--render", action="store_true", help="write videos too: footage and head side by side")
    batch_verb.add_argument("--jobs", type=int, metavar="N", help="clips at once (one for each GPU or two cores)")
    batch_verb.add_argument("--cluster", choices=("ray",), help="spread the clips over a Ray cluster")
    batch_verb.add_argument("--address", metavar="ADDRESS", help="of the Ray cluster; without it one is started here")
    batch_verb.add_argument("--strict", action="store_true", help="exit 3 also where a clip could be read in part only")
    batch_verb.set_defaults(run=lambda a: batch.batch(fill.batch_options(a)))

    serve = verbs.add_parser("serve-shots")  # internal: the batch starts it
    serve.set_defaults(run=lambda a: batch.serve_shots())

    weights = verbs.add_parser("import-weights", help="convert the authors' own networks, once")
    weights.add_argument("folder", metavar="FOLDER", help="with the unpacked files of the ExpNet release")
    weights.add_argument("--out", metavar="FOLDER", help="where official.safetensors goes (the same folder)")
    weights.add_argument("--half", action="store_true", help="16-bit weights: half the size")
    weights.set_defaults(run=lambda a: heads.import_weights(fill.import_options(a)))

    tune = verbs.add_parser("fine-tune", help="weights of your own for one actor, from clips of this actor")
    tune.add_argument("clips", nargs="+", metavar="CLIP", help="movies or folders of images that show the actor")
    tune.add_argument("--out", type=Path, required=True, metavar="ACTOR.safetensors", help="use it with --estimator")
    tune.add_argument("--estimator", default=OPEN, metavar="open|PATH", help="the weights to start from (open)")
    tune.add_argument("--lens", type=_lens, default=50.0, metavar="MM", help="focal length on a 36 mm sensor (50)")
    tune.set_defaults(run=lambda a: heads.fine_tune(fill.fine_tune_options(a)))

    experiments = verbs.add_parser("research", help="the published experiments around ExpNet, on your own data")
    experiments.verbs_elsewhere = research.parsed

    mapping = verbs.add_parser("map-basis", help="let other networks drive a head, and ours another's, once for each")
    mapping.add_argument("face_model", metavar="PATH", help="a face model with landmarks, BaselFaceModel_mod.mat say")
    mapping.add_argument("--out", type=Path, metavar="MAP.npz", help="write the map here too")
    mapping.set_defaults(run=lambda a: heads.map_basis(fill.map_options(a)))
    return whole
