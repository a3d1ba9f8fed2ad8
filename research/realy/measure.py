"""All heads of a folder against their scans: errors.csv, results.md and a picture of the errors."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...model.errors import InputError
from ...model.files import atomic_path, by_number, make_folder
from .files import key_points_of_heads, read_scan
from .meshes import SUFFIXES, Floats, read_mesh
from .regions import REGIONS, SEVEN, RegionError, Scan, regional_errors

PICTURED = 3  # heads
LARGEST_MM = 4.0  # of the colours
# The table of REALY for the authors' ExpNet (frontal): only with REALY's scans can a row be compared with it.
PUBLISHED = "ExpNet in REALY's table: all 2.306 mm on frontal photographs, 2.476 mm on side views."


@dataclass(frozen=True)
class HeadErrors:
    """One head's errors in mm by region, and for the nearest points alone."""

    name: str
    regions: dict[str, float]
    nearest: dict[str, float]

    @property
    def all(self) -> float:
        """Return the mean over the regions, as REALY averages."""
        return float(np.mean(list(self.regions.values())))


def measure(heads: Path, scans: Path, out: Path, key_points: str) -> str:
    """Measure each OBJ and PLY of ``heads`` against its person's scan and return the results. Raises InputError."""
    paths = (
        sorted((p for p in heads.iterdir() if p.suffix.lower() in SUFFIXES), key=by_number) if heads.is_dir() else []
    )
    if not paths:
        raise InputError(f"{heads}: holds no heads: give a folder of OBJ or PLY files, named as their scans")
    of = key_points_of_heads(key_points)
    found: list[HeadErrors] = []
    pictured: list[tuple[str, Scan, dict[str, RegionError]]] = []
    for path in tqdm(paths, desc="heads"):
        head = read_mesh(path)
        scan = read_scan(scans, path.stem.split("_")[0])
        keys = of(path, head)
        shared = np.isfinite(keys).all(1) & np.isfinite(scan.key_points).all(1)
        if not shared[list(SEVEN)].all():
            raise InputError(f"{path}: head and scan must both have the seven key points: iBUG {SEVEN} from 0")
        errors = regional_errors(head, keys, scan, str(path))
        means, nearest = ({n: getattr(e, what) for n, e in errors.items()} for what in ("mean", "nearest"))
        found.append(HeadErrors(path.stem, means, nearest))
        if len(pictured) < PICTURED:
            pictured.append((path.stem, scan, errors))
    make_folder(out)
    with atomic_path(out / "errors.csv") as part, open(part, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["head", *REGIONS, "all"])
        for row in found:
            table.writerow([row.name, *(f"{row.regions.get(n, np.nan):.4f}" for n in REGIONS), f"{row.all:.4f}"])
    _draw(out / "errors.png", pictured)
    text = table_of(found)
    with atomic_path(out / "results.md") as part:
        part.write_text(f"{text}\n\n{PUBLISHED}\n", encoding="utf-8")
    return text


def table_of(found: list[HeadErrors]) -> str:
    """Return mean and standard deviation of each region's error as Markdown."""
    lines = [
        f"| error in mm, {len(found)} heads | {' | '.join(REGIONS)} | all |",
        f"| --- |{' ---: |' * (len(REGIONS) + 1)}",
    ]
    nearest = [HeadErrors(row.name, row.nearest, row.nearest) for row in found]
    for name, rows in (("regional error, mean ± SD", found), ("distance to the nearest point", nearest)):
        cells = []
        for region in REGIONS:
            values = np.array([row.regions[region] for row in rows if region in row.regions])
            cells.append(_mean_and_spread(values))
        cells.append(_mean_and_spread(np.array([row.all for row in rows])))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean_and_spread(values: Floats) -> str:
    if not len(values):
        return "–"
    return f"{values.mean():.3f}" + (f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else "")


def _draw(path: Path, pictured: list[tuple[str, Scan, dict[str, RegionError]]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure((3.4 * len(pictured) + 0.8, 4), layout="constrained")
    colours = None
    for axes, (name, scan, errors) in zip(figure.subplots(1, len(pictured), squeeze=False)[0], pictured):
        for region, error in errors.items():
            mesh = scan.regions[region]
            x, y = mesh.points[:, :2].T * scan.mm
            colours = axes.tripcolor(
                x, y, mesh.triangles, error.points, vmin=0, vmax=LARGEST_MM, cmap="turbo", shading="gouraud"
            )
        axes.set(title=name, aspect="equal", xticks=[], yticks=[])
    if colours is not None:
        figure.colorbar(colours, ax=figure.axes, label="mm", shrink=0.7)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=80)
