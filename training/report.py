"""The training report, docs/training.md with its pictures: ``python -m expnet.training.report RUN DATA --out docs``.

Curves from RUN/log.csv; a sheet of synthetic pictures; predictions against the truth per key on the held-out set. The
page's text from its heading "Recipes" on is written by hand and kept.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import cv2
import matplotlib
import numpy as np

from ..model.builtin import OPEN
from ..model.face.semantics import OPEN_KEYS
from ..model.formats import open_face_model
from .dataset import Batch, ShardFolder, count_pictures
from .evaluation.measures import (
    LID_REGIONS,
    correlations,
    load_network,
    predict,
    region_error,
    rotation_error,
    summary,
)
from .losses import expression_factor

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from ..model.array_types import FloatArray, UInt8Array

JPEG = [cv2.IMWRITE_JPEG_QUALITY, 88]


def draw_curves(log: Path, out: Path) -> list[dict[str, float]]:
    with log.open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    images = [r["images"] / 1000 for r in rows]
    figure, axes = plt.subplots(2, 3, figsize=(13, 6.5), constrained_layout=True)
    for axis, (title, names) in zip(
        axes.flat,
        (
            ("training loss", ("loss",)),
            ("expression, weighted mm", ("vertex", "weighted_mm")),
            ("correlation on held-out faces", ("r", "r_worst", "r_gaze")),
            ("head rotation, degrees", ("rotation_degrees",)),
            ("crop, sides", ("crop_shift", "crop_scale")),
            ("face or not, accuracy", ("face_accuracy",)),
        ),
    ):
        for name in names:
            axis.plot(images, [r[name] for r in rows], label=name)
        axis.set_title(title)
        axis.set_xlabel("thousand pictures seen")
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(out, dpi=80)
    plt.close(figure)
    return rows


def draw_samples(images: UInt8Array, out: Path, columns: int = 14) -> None:
    rows = len(images) // columns
    sheet = images[: rows * columns].reshape(rows, columns, *images.shape[1:]).transpose(0, 2, 1, 3, 4)
    cv2.imwrite(str(out), sheet.reshape(rows * images.shape[1], columns * images.shape[2], 3), JPEG)


def draw_keys(eta: FloatArray, truth: FloatArray, r: FloatArray, out: Path) -> None:
    figure, axes = plt.subplots(5, 6, figsize=(13, 11), constrained_layout=True)
    for axis, key, p, t, value in zip(axes.flat, OPEN_KEYS, eta.T, truth.T, r):
        axis.plot(t, p, ".", markersize=2, alpha=0.5)
        axis.plot([t.min(), 1], [t.min(), 1], "k", linewidth=0.7)
        axis.set_title(f"{key}  r {value:.2f}", fontsize=9)
        axis.tick_params(labelsize=7)
    axes.flat[-1].axis("off")
    figure.savefig(out, dpi=70)
    plt.close(figure)


def key_table(eta: FloatArray, truth: FloatArray, r: FloatArray) -> str:
    error = np.abs(eta - truth).mean(0)
    lines = ["| key | r | mean abs error |", "|---|---|---|"]
    return "\n".join(lines + [f"| {k} | {a:.3f} | {b:.3f} |" for k, a, b in zip(OPEN_KEYS, r, error)])


def write_report(run: Path, held_out: Batch, pictures: int, out: Path) -> None:
    model = open_face_model(OPEN)
    network = load_network(run / "weights.safetensors")
    rows = draw_curves(run / "log.csv", out / "training_curves.png")
    draw_samples(held_out["image"].numpy()[:112], out / "training_samples.jpg")
    face = held_out["face"] > 0.5
    predicted = predict(network, held_out["image"])
    eta, truth = predicted["eta"][face], held_out["eta"][face]
    r = correlations(eta, truth)
    draw_keys(eta.numpy(), truth.numpy(), r, out / "training_keys.png")
    scores = summary(network, held_out, expression_factor(model))
    error = (eta - truth).numpy()
    degrees = np.degrees(rotation_error(predicted["rotation"][face], held_out["rotation"][face]))
    last = rows[-1]
    page = out / "training.md"
    _, heading, recipes = page.read_text().partition("\n## Recipes\n") if page.is_file() else ("", "", "")
    page.write_text(f"""# Training the open network

The network learns from renders of the open head by [`training/synthetic`](engine.md) only. No picture is a photograph
of a person. With `generate --realism`, skins and light of many renders come from photographs, nearly all CC0
([CREDITS.md](../CREDITS.md)). The numbers below are for held-out renders. These commands render the pictures, train,
continue, evaluate, and write this page:

    python -m expnet.training.synthetic.generate DATA --shards 300          # training pictures, seed 0
    python -m expnet.training.synthetic.generate DATA --shards 2 --seed 1   # held-out pictures
    python -m expnet.training.train --config training/configs/glimpse.toml \\
        --data DATA --out RUN --steps {int(last["step"])}
    python -m expnet.training.train … --resume --steps MORE
    python -m expnet.training.evaluate RUN/weights.safetensors DATA
    python -m expnet.training.report RUN DATA --out docs

| this run | |
|---|---|
| different pictures, at the end of the run | {pictures:,} |
| pictures seen | {int(last["images"]):,} in {int(last["step"]):,} steps |
| time | {last["minutes"]:.0f} minutes, bf16 |
| parameters | {sum(p.numel() for p in network.parameters()) / 1e6:.2f} M at {network.config.size} px |

| held-out synthetic faces ({int(face.sum())} faces, {int((~face).sum())} other pictures) | |
|---|---|
| correlation, mean and worst key | {r.mean():.3f}, {r.min():.3f} ({OPEN_KEYS[int(r.argmin())]}) |
| lips, mm | {region_error(model, ("lips",), error):.2f} |
| lids, mm | {region_error(model, LID_REGIONS, error):.2f} |
| head rotation, degrees, mean and median | {degrees.mean():.1f}, {np.median(degrees):.1f} |
| gaze, correlation | {scores["r_gaze"]:.3f} |
| crop: shift in sides, log scale | {scores["crop_shift"]:.3f}, {scores["crop_scale"]:.3f} |
| face or not, accuracy | {scores["face_accuracy"]:.3f} |

![curves](training_curves.png)

{key_table(eta.numpy(), truth.numpy(), r)}

![estimate against truth](training_keys.png)

Held-out pictures at the network's input size:

![samples](training_samples.jpg)
{heading}{recipes}""")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    args = parser.parse_args()
    pictures = count_pictures(args.data, seed=0)
    write_report(args.run, ShardFolder(args.data, seed=1).all(), pictures, args.out)


if __name__ == "__main__":
    main()
