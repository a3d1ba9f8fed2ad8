"""Remesh with Blender's QuadriFlow; ``remesh.py`` runs this file as a script in a Python that has bpy.

    python remesh_in_blender.py IN.npz OUT.npz

IN holds vertices (n, 3), triangles (m, 3) and wanted (t,), numbers of quads; OUT gets verticesI (n, 3) and quadsI (k,
4) for each number I whose result has only quads.
"""

import sys

import bpy
import numpy as np

source, target = sys.argv[-2:]
with np.load(source) as data:
    vertices, triangles, wanted = data["vertices"], data["triangles"], data["wanted"].tolist()
found = {}
for index, quads in enumerate(wanted):
    bpy.ops.wm.read_homefile(use_empty=True)
    mesh = bpy.data.meshes.new("half")
    mesh.from_pydata(vertices.tolist(), [], triangles.tolist())
    thing = bpy.data.objects.new("half", mesh)
    bpy.context.scene.collection.objects.link(thing)
    bpy.context.view_layer.objects.active = thing
    thing.select_set(True)
    bpy.ops.object.quadriflow_remesh(
        mode="FACES", target_faces=quads, use_mesh_symmetry=False, use_preserve_boundary=True, seed=1
    )
    polygons = [tuple(p.vertices) for p in thing.data.polygons]
    if {len(p) for p in polygons} == {4}:
        found[f"vertices{index}"] = np.array([v.co for v in thing.data.vertices])
        found[f"quads{index}"] = np.array(polygons)
    np.savez(target, **found)
