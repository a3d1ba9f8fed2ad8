"""Read the version from blender_manifest.toml; pyproject.toml holds everything else."""

import tomllib
from pathlib import Path

from setuptools import setup

MANIFEST = tomllib.loads(Path(__file__).with_name("blender_manifest.toml").read_text(encoding="utf-8"))

setup(version=MANIFEST["version"])
