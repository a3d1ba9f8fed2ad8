"""A small compiled rasteriser: triangles to a map of which triangle each pixel sees, then one shading pass.

Deferred, because the head hides itself several times over and only the nearest surface needs light. All in float32:
constants are written as such, since a bare 1.0 makes numba compute in float64.
"""

from __future__ import annotations

import numba as nb
import numpy as np

# Columns of ``attributes``, one row and one cache line per vertex, in the camera frame
NORMAL, POINT, ALBEDO, GLOSS, OPEN_SKY, COORDS, KIND, ATTRIBUTES = 0, 3, 6, 9, 10, 11, 13, 16
# KIND: how a vertex is coloured; 0 and more is an eyeball, and the angle from the eye's axis
BARE, SKIN = -1.0, -2.0
NEAR = np.float32(20.0)  # mm before the lens
FAR = np.float32(1e9)
ZERO, ONE, TINY, EDGE = np.float32(0), np.float32(1), np.float32(1e-9), np.float32(1e-5)


@nb.njit(fastmath=True, cache=True)
def vertex_normals(vertices, faces):
    """Area-weighted unit normals (V, 3) of triangles (F, 3) or quads (F, 4); a triangle among quads repeats its first
    corner."""
    normals = np.zeros_like(vertices)
    last = faces.shape[1] - 1
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        d = faces[f, 3] if last == 3 else a
        # half the product of the diagonals is the area of a quad, and of a triangle with d = a
        ux = vertices[c, 0] - vertices[a, 0]
        uy = vertices[c, 1] - vertices[a, 1]
        uz = vertices[c, 2] - vertices[a, 2]
        vx = vertices[d, 0] - vertices[b, 0]
        vy = vertices[d, 1] - vertices[b, 1]
        vz = vertices[d, 2] - vertices[b, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
        if d != a:
            normals[d, 0] += nx
            normals[d, 1] += ny
            normals[d, 2] += nz
    for i in range(vertices.shape[0]):
        length = ONE / np.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2 + np.float32(1e-20))
        normals[i, 0] *= length
        normals[i, 1] *= length
        normals[i, 2] *= length
    return normals


@nb.njit(fastmath=True, cache=True)
def place(points, normals, rotation, translation, lens, size, attributes, screen):
    """Put points (N, 3) of the head's frame before the camera: their rows of ``attributes``, and ``screen`` (N, 3):
    pixel x, pixel y, depth. ``lens`` is ``Pose.lens``."""
    half = np.float32(0.5)
    big = np.float32(size)
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for k in range(3):
            attributes[i, NORMAL + k] = (
                rotation[k, 0] * normals[i, 0] + rotation[k, 1] * normals[i, 1] + rotation[k, 2] * normals[i, 2]
            )
            attributes[i, POINT + k] = rotation[k, 0] * x + rotation[k, 1] * y + rotation[k, 2] * z + translation[k]
        depth = -attributes[i, POINT + 2]
        over = ONE / max(depth, ONE)
        px, py = attributes[i, POINT] * over, attributes[i, POINT + 1] * over
        screen[i, 0] = (lens[0, 0] * px + lens[0, 1] * py + lens[0, 2]) * big - half
        screen[i, 1] = (lens[1, 0] * px + lens[1, 1] * py + lens[1, 2]) * big - half
        screen[i, 2] = depth


@nb.njit(fastmath=True, cache=True)
def seen_along(attributes, axes, scale, x0, y0, screen):
    """``screen`` (N, 3) of a far camera whose axes (3, 3) are right, up and backwards: pixel x, pixel y, depth."""
    for i in range(attributes.shape[0]):
        x, y, z = attributes[i, POINT], attributes[i, POINT + 1], attributes[i, POINT + 2]
        screen[i, 0] = (axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z) * scale + x0
        screen[i, 1] = (axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z) * scale + y0
        screen[i, 2] = -(axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z)


@nb.njit(fastmath=True, cache=True)
def rasterize(screen, triangles, one_sided, near, triangle_of, bary, depth):
    """Fill ``triangle_of`` (size, size) with the nearest triangle (-1: none), ``bary`` with its last two weights.

    ``screen`` (V, 3): pixel x, pixel y, depth (smaller is nearer). The first ``one_sided`` triangles are seen only
    where they wind clockwise in the picture, y down. A triangle with a corner before ``near`` is left out.
    """
    size = depth.shape[0]
    last = np.float32(size - 1)
    triangle_of[:] = -1
    depth[:] = FAR
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0 = screen[a, 0], screen[a, 1]
        ux, uy = screen[b, 0] - x0, screen[b, 1] - y0
        vx, vy = screen[c, 0] - x0, screen[c, 1] - y0
        area = ux * vy - vx * uy
        if area == ZERO or (t < one_sided and area > ZERO):
            continue
        left, right = max(ZERO, x0 + min(ZERO, ux, vx)), min(last, x0 + max(ZERO, ux, vx))
        top, bottom = max(ZERO, y0 + min(ZERO, uy, vy)), min(last, y0 + max(ZERO, uy, vy))
        if left > right or top > bottom:
            continue
        ix0, ix1 = int(np.ceil(left)), int(right)
        iy0, iy1 = int(np.ceil(top)), int(bottom)
        if ix0 > ix1 or iy0 > iy1:
            continue
        z0 = screen[a, 2]
        z1, z2 = screen[b, 2] - z0, screen[c, 2] - z0
        if z0 < near or z0 + z1 < near or z0 + z2 < near:
            continue
        inverse = ONE / area
        w1x, w1y, w2x, w2y = vy * inverse, -vx * inverse, -uy * inverse, ux * inverse
        dx = np.float32(ix0) - x0
        for y in range(iy0, iy1 + 1):
            dy = np.float32(y) - y0
            w1 = dx * w1x + dy * w1y
            w2 = dx * w2x + dy * w2y
            for x in range(ix0, ix1 + 1):
                if w1 >= -EDGE and w2 >= -EDGE and w1 + w2 <= ONE + EDGE:
                    z = z0 + w1 * z1 + w2 * z2
                    if z < depth[y, x]:
                        depth[y, x] = z
                        triangle_of[y, x] = t
                        bary[y, x, 0] = w1
                        bary[y, x, 1] = w2
                w1 += w1x
                w2 += w2x


@nb.njit(fastmath=True, inline="always")
def _mixed(paint, pu, pv, qu, qv, k, p00, p01, p10, p11):
    total = (
        p00 * np.float32(paint[pv, pu, k]) + p01 * np.float32(paint[pv, qu, k])
        + p10 * np.float32(paint[qv, pu, k]) + p11 * np.float32(paint[qv, qu, k])
    )  # fmt: skip
    return total * np.float32(1 / 255**2)


@nb.njit(fastmath=True, cache=True)
def shade(
    triangle_of, bary, triangles, attributes, texture, bump, paint, ambient, lights, colors, wrap, specular, eyes,
    shadow_depth, shadow_axes, shadow_scale, shadow_bias, fog, out,
):  # fmt: skip
    """Light every pixel that sees a triangle into ``out`` (size, size, 4), BGR and how much of it hides what is behind
    (colour already multiplied by it, zeros elsewhere). Returns the sum of the brightness and the number of pixels lit.

    attributes        (V, 16): unit normal, point, albedo BGR, gloss, share of open sky, u, v on the skin, kind
    texture, bump     (S, S, 3) factors and (S, S, 2) normal offsets, repeated over all but eyes
    paint             (P, P, 4) uint8 BGRA laid over the SKIN, over u, v from 0 to 1
    ambient           (3, 9) spherical harmonics;  lights (L, 3) unit vectors towards each light;  colors (L, 3)
    eyes              iris radius, pupil radius (radians), then BGR of iris and sclera
    shadow_*          depth map seen from light 0: (S, S), its axes (3, 3), (scale, x0, y0), bias in mm
    fog               0..1, how much haze lies over everything
    """
    size = out.shape[0]
    tile = texture.shape[0]
    tiles = np.float32(tile)
    map_size = shadow_depth.shape[0]
    chart, paint_last = np.float32(paint.shape[0]), paint.shape[0] - 1
    painted, byte = np.float32(0.5 * (BARE + SKIN)), np.float32(1 / 255)
    clear = ONE - fog
    half, three = np.float32(0.5), np.float32(3)
    spread = ONE / (ONE + wrap)
    brightness, lit = ZERO, 0
    value = np.empty(ATTRIBUTES, np.float32)
    for y in range(size):
        for x in range(size):
            t = triangle_of[y, x]
            if t < 0:
                out[y, x, 0] = ZERO
                out[y, x, 1] = ZERO
                out[y, x, 2] = ZERO
                out[y, x, 3] = ZERO
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            w1, w2 = bary[y, x, 0], bary[y, x, 1]
            w0 = ONE - w1 - w2
            for k in range(ATTRIBUTES):
                value[k] = w0 * attributes[a, k] + w1 * attributes[b, k] + w2 * attributes[c, k]
            nx, ny, nz = value[0], value[1], value[2]
            px, py, pz = value[3], value[4], value[5]
            c0, c1, c2 = value[6], value[7], value[8]
            shine, open_sky = value[9], value[10]
            angle = value[13]
            wet = angle >= ZERO
            if wet:
                if angle < eyes[1]:
                    c0 = c1 = c2 = np.float32(0.02)
                elif angle < eyes[0]:
                    rim = ONE - three * max(ZERO, angle / eyes[0] - np.float32(0.75))
                    c0, c1, c2 = eyes[2] * rim, eyes[3] * rim, eyes[4] * rim
                else:
                    red = min(ONE, max(ZERO, angle - eyes[0]) * np.float32(0.8))
                    c0 = eyes[5] * (ONE - np.float32(0.35) * red)
                    c1 = eyes[6] * (ONE - np.float32(0.3) * red)
                    c2 = eyes[7] * (ONE - np.float32(0.1) * red)
            else:
                u, v = value[11], value[12]
                if angle < painted and u > ZERO and v > ZERO and u < ONE and v < ONE:
                    fu, fv = max(ZERO, u * chart - half), max(ZERO, v * chart - half)
                    pu, pv = int(fu), int(fv)
                    part_u, part_v = fu - np.float32(pu), fv - np.float32(pv)
                    qu, qv = min(pu + 1, paint_last), min(pv + 1, paint_last)
                    p00, p01 = (ONE - part_u) * (ONE - part_v), part_u * (ONE - part_v)
                    p10, p11 = (ONE - part_u) * part_v, part_u * part_v
                    # weight by opacity, so that what is clear lends no colour
                    p00 *= np.float32(paint[pv, pu, 3])
                    p01 *= np.float32(paint[pv, qu, 3])
                    p10 *= np.float32(paint[qv, pu, 3])
                    p11 *= np.float32(paint[qv, qu, 3])
                    cover = (p00 + p01 + p10 + p11) * byte
                    if cover > ZERO:
                        rest = ONE - cover
                        c0 = rest * c0 + _mixed(paint, pu, pv, qu, qv, 0, p00, p01, p10, p11)
                        c1 = rest * c1 + _mixed(paint, pu, pv, qu, qv, 1, p00, p01, p10, p11)
                        c2 = rest * c2 + _mixed(paint, pu, pv, qu, qv, 2, p00, p01, p10, p11)
                ti = int(u * tiles) % tile
                tj = int(v * tiles) % tile
                c0 *= texture[tj, ti, 0]
                c1 *= texture[tj, ti, 1]
                c2 *= texture[tj, ti, 2]
                nx += bump[tj, ti, 0]
                ny += bump[tj, ti, 1]
            length = ONE / np.sqrt(nx * nx + ny * ny + nz * nz + TINY)
            vl = -ONE / np.sqrt(px * px + py * py + pz * pz)  # towards the camera
            vx, vy, vz = px * vl, py * vl, pz * vl
            if nx * vx + ny * vy + nz * vz < ZERO:
                length = -length
            nx *= length
            ny *= length
            nz *= length
            shadow = ONE
            if map_size > 1:
                fx = shadow_axes[0, 0] * px + shadow_axes[0, 1] * py + shadow_axes[0, 2] * pz
                fy = shadow_axes[1, 0] * px + shadow_axes[1, 1] * py + shadow_axes[1, 2] * pz
                sz = -(shadow_axes[2, 0] * px + shadow_axes[2, 1] * py + shadow_axes[2, 2] * pz) - shadow_bias
                fx = fx * shadow_scale[0] + shadow_scale[1]
                fy = fy * shadow_scale[0] + shadow_scale[2]
                fx, fy = fx - half, fy - half
                if fx >= ZERO and fy >= ZERO and fx < map_size - 3 and fy < map_size - 3:
                    mx, my = int(fx), int(fy)
                    part_x, part_y = fx - np.float32(mx), fy - np.float32(my)
                    hits = ZERO  # in two by two texels about the point: the outer of three by three count in part
                    for oy in range(3):
                        wy = ONE - part_y if oy == 0 else part_y if oy == 2 else ONE
                        for ox in range(3):
                            wx = ONE - part_x if ox == 0 else part_x if ox == 2 else ONE
                            if sz > shadow_depth[my + oy, mx + ox]:
                                hits += wx * wy
                    shadow = ONE - hits * np.float32(0.25)
            lit0 = lit1 = lit2 = ZERO
            gl0 = gl1 = gl2 = ZERO
            for j in range(lights.shape[0]):
                d = nx * lights[j, 0] + ny * lights[j, 1] + nz * lights[j, 2]
                # light bleeds round a little under skin
                diffuse = max(ZERO, (d + wrap) * spread) * shadow
                lit0 += diffuse * colors[j, 0]
                lit1 += diffuse * colors[j, 1]
                lit2 += diffuse * colors[j, 2]
                if d > ZERO:
                    hx, hy, hz = lights[j, 0] + vx, lights[j, 1] + vy, lights[j, 2] + vz
                    hd = max(ZERO, nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz + TINY)
                    h4 = hd * hd * hd * hd
                    h12 = h4 * h4 * h4
                    # to the 14th on skin, to the 60th on eyes
                    s = shine * specular * shadow * (h12 * h12 * h12 * h12 * h12 if wet else h12 * hd * hd)
                    gl0 += s * colors[j, 0]
                    gl1 += s * colors[j, 1]
                    gl2 += s * colors[j, 2]
                shadow = ONE  # only the first lamp has one
            direct = np.float32(0.35) + np.float32(0.65) * open_sky
            yx, yz, zz, xz, xy = nx * ny, ny * nz, three * nz * nz - ONE, nx * nz, nx * nx - ny * ny
            for k in range(3):
                sky = (
                    ambient[k, 0] + ambient[k, 1] * ny + ambient[k, 2] * nz + ambient[k, 3] * nx + ambient[k, 4] * yx
                    + ambient[k, 5] * yz + ambient[k, 6] * zz + ambient[k, 7] * xz + ambient[k, 8] * xy
                )  # fmt: skip
                sky = max(sky, np.float32(0.02)) * open_sky
                base = c0 if k == 0 else c1 if k == 1 else c2
                light = lit0 if k == 0 else lit1 if k == 1 else lit2
                glint = gl0 if k == 0 else gl1 if k == 1 else gl2
                level = (base * (sky + light * direct) + glint * open_sky) * clear
                out[y, x, k] = level
                brightness += level
            out[y, x, 3] = clear
            lit += 1
    return brightness / three, lit


@nb.njit(fastmath=True, cache=True)
def compose(layer, background, exposure, out):
    """Shrink ``layer`` (3n, 3n, 4) by two thirds, every source pixel by the area that it covers, and lay it over
    ``background`` (2n, 2n, 3), all times ``exposure``: ``out`` (2n, 2n, 3)."""
    half, share = np.float32(0.5), np.float32(4 / 9)
    sums = np.empty(4, np.float32)
    for y in range(out.shape[0]):
        sy = 3 * (y // 2) + (y % 2)
        wy0 = half if y % 2 else ONE
        wy1 = ONE if y % 2 else half
        for x in range(out.shape[1]):
            sx = 3 * (x // 2) + (x % 2)
            wx0 = half if x % 2 else ONE
            wx1 = ONE if x % 2 else half
            w00, w01, w10, w11 = wy0 * wx0 * share, wy0 * wx1 * share, wy1 * wx0 * share, wy1 * wx1 * share
            for k in range(4):
                sums[k] = (
                    w00 * layer[sy, sx, k] + w01 * layer[sy, sx + 1, k]
                    + w10 * layer[sy + 1, sx, k] + w11 * layer[sy + 1, sx + 1, k]
                )  # fmt: skip
            behind = ONE - sums[3]
            for k in range(3):
                out[y, x, k] = (sums[k] + behind * background[y, x, k]) * exposure
