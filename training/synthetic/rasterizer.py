"""A small compiled rasteriser: triangles to a map of which triangle each pixel sees, then one shading pass.

Deferred, because the head hides itself several times over and only the nearest surface needs light.
"""

from __future__ import annotations

import numba as nb
import numpy as np

BARE, EYE = 0, 1  # how a triangle is coloured: by its vertices, or as an eyeball


@nb.njit(fastmath=True, cache=True)
def vertex_normals(vertices, triangles):
    """Area-weighted unit normals, (V, 3)."""
    normals = np.zeros_like(vertices)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux = vertices[b, 0] - vertices[a, 0]
        uy = vertices[b, 1] - vertices[a, 1]
        uz = vertices[b, 2] - vertices[a, 2]
        vx = vertices[c, 0] - vertices[a, 0]
        vy = vertices[c, 1] - vertices[a, 1]
        vz = vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
    for i in range(vertices.shape[0]):
        length = np.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2) + 1e-12
        normals[i, 0] /= length
        normals[i, 1] /= length
        normals[i, 2] /= length
    return normals


@nb.njit(fastmath=True, cache=True)
def rasterize(screen, triangles, size, triangle_of, bary, depth):
    """Fill ``triangle_of`` (size, size) with the nearest triangle (-1: none), ``bary`` with its last two weights.

    ``screen`` (V, 3): pixel x, pixel y, depth (smaller is nearer).
    """
    triangle_of[:] = -1
    depth[:] = 1e9
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0 = screen[a, 0], screen[a, 1]
        x1, y1 = screen[b, 0], screen[b, 1]
        x2, y2 = screen[c, 0], screen[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0.0:
            continue
        ix0 = max(0, int(np.ceil(min(x0, x1, x2))))
        ix1 = min(size - 1, int(np.floor(max(x0, x1, x2))))
        iy0 = max(0, int(np.ceil(min(y0, y1, y2))))
        iy1 = min(size - 1, int(np.floor(max(y0, y1, y2))))
        if ix0 > ix1 or iy0 > iy1:
            continue
        inverse = 1.0 / area
        z0, z1, z2 = screen[a, 2], screen[b, 2], screen[c, 2]
        for y in range(iy0, iy1 + 1):
            for x in range(ix0, ix1 + 1):
                w1 = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) * inverse
                w2 = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) * inverse
                if w1 < -1e-5 or w2 < -1e-5 or w1 + w2 > 1.00001:
                    continue
                z = z0 + w1 * (z1 - z0) + w2 * (z2 - z0)
                if z < depth[y, x]:
                    depth[y, x] = z
                    triangle_of[y, x] = t
                    bary[y, x, 0] = w1
                    bary[y, x, 1] = w2


@nb.njit(fastmath=True, cache=True)
def shade(
    triangle_of, bary, triangles, kind, points, normals, albedo, gloss, occlusion, coords, eye_angle,
    texture, bump, ambient, lights, colors, wrap, specular, eyes,
    shadow_depth, shadow_axes, shadow_scale, shadow_bias, image, fog,
):  # fmt: skip
    """Light every pixel that sees a triangle; ``image`` (size, size, 3) keeps its background elsewhere.

    points, normals   (V, 3) in the camera frame;  albedo (V, 3);  gloss, occlusion (V,)
    coords            (V, 2) where on the skin (for ``texture`` (S, S, 3) factors and ``bump`` (S, S, 2) normal offsets)
    eye_angle         (V,) angle from the eye's axis, for triangles of kind EYE
    ambient           (3, 9) spherical harmonics;  lights (L, 3) unit vectors towards each light;  colors (L, 3)
    eyes              iris radius, pupil radius (radians), then BGR of iris and sclera
    shadow_*          depth map seen from light 0: (S, S), its axes (3, 3), (scale, x0, y0), bias in mm
    fog               0..1, how much haze lies over everything
    """
    size = image.shape[0]
    tile = texture.shape[0]
    map_size = shadow_depth.shape[0]
    for y in range(size):
        for x in range(size):
            t = triangle_of[y, x]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            w1, w2 = bary[y, x, 0], bary[y, x, 1]
            w0 = 1.0 - w1 - w2
            nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
            ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
            nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
            px = w0 * points[a, 0] + w1 * points[b, 0] + w2 * points[c, 0]
            py = w0 * points[a, 1] + w1 * points[b, 1] + w2 * points[c, 1]
            pz = w0 * points[a, 2] + w1 * points[b, 2] + w2 * points[c, 2]
            shine = w0 * gloss[a] + w1 * gloss[b] + w2 * gloss[c]
            open_sky = w0 * occlusion[a] + w1 * occlusion[b] + w2 * occlusion[c]
            u = w0 * coords[a, 0] + w1 * coords[b, 0] + w2 * coords[c, 0]
            v = w0 * coords[a, 1] + w1 * coords[b, 1] + w2 * coords[c, 1]
            ti = int(u * tile) % tile
            tj = int(v * tile) % tile
            power = 14.0
            c0 = w0 * albedo[a, 0] + w1 * albedo[b, 0] + w2 * albedo[c, 0]
            c1 = w0 * albedo[a, 1] + w1 * albedo[b, 1] + w2 * albedo[c, 1]
            c2 = w0 * albedo[a, 2] + w1 * albedo[b, 2] + w2 * albedo[c, 2]
            if kind[t] == EYE:
                angle = w0 * eye_angle[a] + w1 * eye_angle[b] + w2 * eye_angle[c]
                if angle < eyes[1]:
                    c0, c1, c2 = 0.02, 0.02, 0.02
                elif angle < eyes[0]:
                    rim = 1.0 - 0.75 * max(0.0, (angle / eyes[0] - 0.75) * 4.0)
                    c0, c1, c2 = eyes[2] * rim, eyes[3] * rim, eyes[4] * rim
                else:
                    red = min(1.0, max(0.0, angle - eyes[0]) * 0.8)
                    c0 = eyes[5] * (1 - 0.35 * red)
                    c1 = eyes[6] * (1 - 0.3 * red)
                    c2 = eyes[7] * (1 - 0.1 * red)
                power = 60.0
            else:
                c0 *= texture[tj, ti, 0]
                c1 *= texture[tj, ti, 1]
                c2 *= texture[tj, ti, 2]
                nx += bump[tj, ti, 0]
                ny += bump[tj, ti, 1]
            length = 1.0 / np.sqrt(nx * nx + ny * ny + nz * nz + 1e-9)
            nx *= length
            ny *= length
            nz *= length
            # towards the camera
            vl = 1.0 / np.sqrt(px * px + py * py + pz * pz)
            vx, vy, vz = -px * vl, -py * vl, -pz * vl
            facing = nx * vx + ny * vy + nz * vz
            if facing < 0:
                nx, ny, nz = -nx, -ny, -nz
            lit0 = lit1 = lit2 = 0.0
            gl0 = gl1 = gl2 = 0.0
            for j in range(lights.shape[0]):
                d = nx * lights[j, 0] + ny * lights[j, 1] + nz * lights[j, 2]
                shadow = 1.0
                if j == 0 and map_size > 1:
                    sx = shadow_axes[0, 0] * px + shadow_axes[0, 1] * py + shadow_axes[0, 2] * pz
                    sy = shadow_axes[1, 0] * px + shadow_axes[1, 1] * py + shadow_axes[1, 2] * pz
                    sz = shadow_axes[2, 0] * px + shadow_axes[2, 1] * py + shadow_axes[2, 2] * pz
                    fx = sx * shadow_scale[0] + shadow_scale[1]
                    fy = sy * shadow_scale[0] + shadow_scale[2]
                    hits = 0.0
                    for oy in range(-1, 2):
                        for ox in range(-1, 2):
                            mx, my = int(fx + ox * 0.9), int(fy + oy * 0.9)
                            if mx < 0 or my < 0 or mx >= map_size or my >= map_size:
                                continue
                            if -sz > shadow_depth[my, mx] + shadow_bias:
                                hits += 1.0
                    shadow = 1.0 - hits / 9.0
                # light bleeds round a little under skin
                diffuse = max(0.0, (d + wrap) / (1.0 + wrap)) * shadow
                lit0 += diffuse * colors[j, 0]
                lit1 += diffuse * colors[j, 1]
                lit2 += diffuse * colors[j, 2]
                if d > 0 and shadow > 0 and shine > 0:
                    hx, hy, hz = lights[j, 0] + vx, lights[j, 1] + vy, lights[j, 2] + vz
                    hl = 1.0 / np.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
                    hd = (nx * hx + ny * hy + nz * hz) * hl
                    if hd > 0:
                        s = shine * specular * hd**power * shadow
                        gl0 += s * colors[j, 0]
                        gl1 += s * colors[j, 1]
                        gl2 += s * colors[j, 2]
            for k in range(3):
                sky = (
                    ambient[k, 0] + ambient[k, 1] * ny + ambient[k, 2] * nz + ambient[k, 3] * nx
                    + ambient[k, 4] * nx * ny + ambient[k, 5] * ny * nz + ambient[k, 6] * (3 * nz * nz - 1)
                    + ambient[k, 7] * nx * nz + ambient[k, 8] * (nx * nx - ny * ny)
                )  # fmt: skip
                sky = max(sky, 0.02) * open_sky
                base = c0 if k == 0 else c1 if k == 1 else c2
                light = lit0 if k == 0 else lit1 if k == 1 else lit2
                glint = gl0 if k == 0 else gl1 if k == 1 else gl2
                value = base * (sky + light * (0.35 + 0.65 * open_sky)) + glint * open_sky
                image[y, x, k] = value * (1 - fog) + image[y, x, k] * fog
