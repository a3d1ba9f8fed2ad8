"""Blender's own process imports nothing heavy, and enabling the add-on takes no time an artist would notice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "cv2", "scipy", "h5py", "safetensors", "numba", "matplotlib")

SESSION = """
import json, os, sys, time
import bpy
there = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "numpy"}
sys.modules["numpy"] = None  # from here on it cannot be imported
start = time.process_time()
import expnet
expnet.register()
seconds = time.process_time() - start  # not the clock's: other work goes on on a test machine
del sys.modules["numpy"]
sys.modules.update(there)
settings = bpy.context.scene.expnet
settings.network = "FILE"
settings.estimator, image, clip = sys.argv[1:]
settings.use_box, settings.box = True, (40, 30, 60, 60)
bpy.ops.expnet.add_face()
settings.source = image
bpy.ops.expnet.estimate_expression()
settings.source = clip
bpy.ops.expnet.animate_footage()
result = settings.result
expnet.unregister()
print(json.dumps({"seconds": seconds, "result": result, "modules": sorted(sys.modules)}), flush=True)
os._exit(0)  # bpy as a module, once classes were registered, may hang or crash while Python takes itself apart
"""


@pytest.mark.slow
def test_blender_sees_only_through_the_worker(image: Path, clip: Path, sees_a_face: Path) -> None:
    """This Python has torch and the others, so they could have been imported. Enabling does without numpy even."""
    command = [sys.executable, "-P", "-c", SESSION, sees_a_face, image, clip]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    session = json.loads(done.stdout.splitlines()[-1])
    assert session["result"].splitlines()[0] == "9 of 9 frames keyed, 1 to 9"
    assert not [name for name in session["modules"] if name.split(".")[0] in HEAVY]
    assert session["seconds"] < 0.3
