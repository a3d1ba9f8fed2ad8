"""A small compiled rasteriser: a map of the triangle at each pixel, then one shading pass.

Shading is deferred, because several surfaces of the head overlap in a pixel and only the nearest needs light. All
arithmetic is float32. Constants are written as float32, because a plain 1.0 makes numba compute in float64.
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
ZERO, ONE, TINY = np.float32(0), np.float32(1), np.float32(1e-9)
STEEP, SLACK = np.float32(1e-7), np.float32(1e-3)


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def vertex_normals(vertices, faces):
    """Return area-weighted unit normals (V, 3) of triangles (F, 3) or quads (F, 4).

    A triangle among quads repeats its first corner.
    """
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


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def place(
    points, normals, albedo, gloss, open_sky, coords, kind, rotation, translation, lens, size, attributes, screen
):  # fmt: skip
    """Project points (N, 3) of the head's frame to the camera.

    Returns their rows of ``attributes``, and ``screen`` (N, 3): pixel x, pixel y, depth. gloss, open_sky and kind are
    (N,), or (1,) for all. ``lens`` is ``Pose.lens``.
    """
    half = np.float32(0.5)
    big = np.float32(size)
    glossy, sky, kinds = len(gloss) > 1, len(open_sky) > 1, len(kind) > 1
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        for k in range(3):
            attributes[i, NORMAL + k] = (
                rotation[k, 0] * normals[i, 0] + rotation[k, 1] * normals[i, 1] + rotation[k, 2] * normals[i, 2]
            )
            attributes[i, POINT + k] = rotation[k, 0] * x + rotation[k, 1] * y + rotation[k, 2] * z + translation[k]
            attributes[i, ALBEDO + k] = albedo[i, k]
        attributes[i, GLOSS] = gloss[i] if glossy else gloss[0]
        attributes[i, OPEN_SKY] = open_sky[i] if sky else open_sky[0]
        attributes[i, COORDS], attributes[i, COORDS + 1] = coords[i, 0], coords[i, 1]
        attributes[i, KIND] = kind[i] if kinds else kind[0]
        depth = -attributes[i, POINT + 2]
        over = ONE / max(depth, ONE)
        px, py = attributes[i, POINT] * over, attributes[i, POINT + 1] * over
        screen[i, 0] = (lens[0, 0] * px + lens[0, 1] * py + lens[0, 2]) * big - half
        screen[i, 1] = (lens[1, 0] * px + lens[1, 1] * py + lens[1, 2]) * big - half
        screen[i, 2] = depth


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def seen_along(attributes, axes, scale, x0, y0, screen):
    """Return ``screen`` (N, 3) of a far camera: pixel x, pixel y, depth.

    The camera's axes (3, 3) are right, up and backwards.
    """
    for i in range(attributes.shape[0]):
        x, y, z = attributes[i, POINT], attributes[i, POINT + 1], attributes[i, POINT + 2]
        screen[i, 0] = (axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z) * scale + x0
        screen[i, 1] = (axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z) * scale + y0
        screen[i, 2] = -(axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z)


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def rasterize(screen, triangles, one_sided, inner, window, near, triangle_of, bary, depth):
    """Fill ``triangle_of`` (size, size) with the nearest triangle (-1: none), ``bary`` with its last two weights.

    ``screen`` (V, 3): pixel x, pixel y, depth (smaller is nearer). The first ``one_sided`` triangles are seen only
    where they wind clockwise in the picture, y down, and those of them from ``inner`` on only through ``window`` (4,):
    left, top, right, bottom in pixels. A triangle with a corner before ``near`` is left out.
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
        if inner <= t < one_sided:
            left, top = max(left, window[0]), max(top, window[1])
            right, bottom = min(right, window[2]), min(bottom, window[3])
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
        # along a row: where each weight passes zero, with a division saved by its slope
        w1x = w1x if abs(w1x) > STEEP else STEEP
        w2x = w2x if abs(w2x) > STEEP else STEEP
        w0x = -w1x - w2x
        w0x = w0x if abs(w0x) > STEEP else STEEP
        zero1, zero2, zero0 = -ONE / w1x, -ONE / w2x, -ONE / w0x
        dx = np.float32(ix0) - x0
        width = np.float32(ix1 - ix0)
        zx = w1x * z1 + w2x * z2
        for y in range(iy0, iy1 + 1):
            dy = np.float32(y) - y0
            w1 = dx * w1x + dy * w1y
            w2 = dx * w2x + dy * w2y
            k1, k2, k0 = w1 * zero1, w2 * zero2, (ONE - w1 - w2) * zero0
            first = max(ZERO, k1 if w1x > ZERO else ZERO, k2 if w2x > ZERO else ZERO, k0 if w0x > ZERO else ZERO)
            end = min(width, width if w1x > ZERO else k1, width if w2x > ZERO else k2, width if w0x > ZERO else k0)
            if first > end + SLACK:
                continue
            k = np.ceil(first - SLACK)
            w1 += k * w1x
            w2 += k * w2x
            z = z0 + w1 * z1 + w2 * z2
            for x in range(ix0 + int(k), ix0 + int(end + SLACK) + 1):
                if z < depth[y, x]:
                    depth[y, x] = z
                    triangle_of[y, x] = t
                    bary[y, x, 0] = w1
                    bary[y, x, 1] = w2
                w1 += w1x
                w2 += w2x
                z += zx


@nb.njit(fastmath=True, error_model="numpy", inline="always")
def _mixed(paint, pu, pv, qu, qv, k, p00, p01, p10, p11):
    total = (
        p00 * np.float32(paint[pv, pu, k]) + p01 * np.float32(paint[pv, qu, k])
        + p10 * np.float32(paint[qv, pu, k]) + p11 * np.float32(paint[qv, qu, k])
    )  # fmt: skip
    return total * np.float32(1 / 255**2)


# Rows of the buffers of ``shade``, one column per lit pixel of a row of the picture
_N, _P, _C, _SHINE, _OPEN, _U, _V, _KIND = 0, 3, 6, 9, 10, 11, 12, 13
_VIEW, _SHADOW, _X, _Y, _DEPTH, _LIT, _GLINT, _MIRROR, _ROWS = 14, 17, 18, 19, 20, 21, 24, 27, 28


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _photographed(photo, strength, mirrored, pixels, count):
    """Multiply the colours of the skin by a photograph of its fine detail: bytes, 128 for no change.

    The nearest texel is sufficient, because texels are smaller than pixels.
    """
    byte = strength * np.float32(1 / 128)
    rest = ONE - strength
    painted = np.float32(0.5 * (BARE + SKIN))
    size = np.float32(photo.shape[0])
    for i in range(count):
        u, v = pixels[_U, i], pixels[_V, i]
        if pixels[_KIND, i] < painted and u > ZERO and v > ZERO and u < ONE and v < ONE:
            row, column = int(v * size), int((ONE - u if mirrored else u) * size)
            for k in range(3):
                pixels[_C + k, i] *= max(ZERO, rest + byte * np.float32(photo[row, column, k]))


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _paint_over(paint, pixels, count):
    """Lay ``paint`` over the colours of the skin."""
    half, byte = np.float32(0.5), np.float32(1 / 255)
    painted = np.float32(0.5 * (BARE + SKIN))
    size, last = np.float32(paint.shape[0]), paint.shape[0] - 1
    for i in range(count):
        u, v = pixels[_U, i], pixels[_V, i]
        if pixels[_KIND, i] < painted and u > ZERO and v > ZERO and u < ONE and v < ONE:
            fu, fv = max(ZERO, u * size - half), max(ZERO, v * size - half)
            pu, pv = int(fu), int(fv)
            part_u, part_v = fu - np.float32(pu), fv - np.float32(pv)
            qu, qv = min(pu + 1, last), min(pv + 1, last)
            # weighted by opacity, so that transparent texels add no colour
            p00 = (ONE - part_u) * (ONE - part_v) * np.float32(paint[pv, pu, 3])
            p01 = part_u * (ONE - part_v) * np.float32(paint[pv, qu, 3])
            p10 = (ONE - part_u) * part_v * np.float32(paint[qv, pu, 3])
            p11 = part_u * part_v * np.float32(paint[qv, qu, 3])
            rest = ONE - (p00 + p01 + p10 + p11) * byte
            if rest < ONE:
                for k in range(3):
                    pixels[_C + k, i] = rest * pixels[_C + k, i] + _mixed(paint, pu, pv, qu, qv, k, p00, p01, p10, p11)


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _color(texture, bump, eyes, pixels, count):
    """Colour eyes, and vary everything else by ``texture`` and ``bump``."""
    three = np.float32(3)
    tiles, mask = np.float32(texture.shape[0]), texture.shape[0] - 1
    for i in range(count):
        angle = pixels[_KIND, i]
        if angle < ZERO:
            ti, tj = int(pixels[_U, i] * tiles) & mask, int(pixels[_V, i] * tiles) & mask
            for k in range(3):
                pixels[_C + k, i] *= texture[tj, ti, k]
            pixels[_N, i] += bump[tj, ti, 0]
            pixels[_N + 1, i] += bump[tj, ti, 1]
        elif angle < eyes[1]:
            for k in range(3):
                pixels[_C + k, i] = np.float32(0.02)
        elif angle < eyes[0]:
            rim = ONE - three * max(ZERO, angle / eyes[0] - np.float32(0.75))
            for k in range(3):
                pixels[_C + k, i] = eyes[2 + k] * rim
        else:
            red = min(ONE, (angle - eyes[0]) * np.float32(0.8))
            pixels[_C, i] = eyes[5] * (ONE - np.float32(0.35) * red)
            pixels[_C + 1, i] = eyes[6] * (ONE - np.float32(0.3) * red)
            pixels[_C + 2, i] = eyes[7] * (ONE - np.float32(0.1) * red)


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def _cast(shadow_depth, shadow_axes, shadow_scale, shadow_bias, pixels, count):
    """Compute the share of the first lamp that each pixel receives."""
    half = np.float32(0.5)
    a, scale, x0, y0 = shadow_axes, shadow_scale[0], shadow_scale[1] - half, shadow_scale[2] - half
    last = np.float32(shadow_depth.shape[0] - 3)
    for i in range(count):
        px, py, pz = pixels[_P, i], pixels[_P + 1, i], pixels[_P + 2, i]
        pixels[_X, i] = (a[0, 0] * px + a[0, 1] * py + a[0, 2] * pz) * scale + x0
        pixels[_Y, i] = (a[1, 0] * px + a[1, 1] * py + a[1, 2] * pz) * scale + y0
        pixels[_DEPTH, i] = -(a[2, 0] * px + a[2, 1] * py + a[2, 2] * pz) - shadow_bias
    for i in range(count):
        fx, fy, depth = pixels[_X, i], pixels[_Y, i], pixels[_DEPTH, i]
        if fx >= ZERO and fy >= ZERO and fx < last and fy < last:
            mx, my = int(fx), int(fy)
            part_x, part_y = fx - np.float32(mx), fy - np.float32(my)
            hits = ZERO  # in two by two texels about the point: the outer of three by three count in part
            for oy in range(3):
                wy = ONE - part_y if oy == 0 else part_y if oy == 2 else ONE
                row = ZERO
                if depth > shadow_depth[my + oy, mx]:
                    row += ONE - part_x
                if depth > shadow_depth[my + oy, mx + 1]:
                    row += ONE
                if depth > shadow_depth[my + oy, mx + 2]:
                    row += part_x
                hits += row * wy
            pixels[_SHADOW, i] = ONE - hits * np.float32(0.25)


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def shade(
    triangle_of, bary, triangles, attributes, texture, bump, photo, photo_strength, photo_mirrored, paint, ambient,
    lights, colors, wrap, specular, polish, sheen, eyes, shadow_depth, shadow_axes, shadow_scale, shadow_bias, fog,
    haze, out,
):  # fmt: skip
    """Light every pixel that shows a triangle into ``out`` (size, size, 4): BGR and 1, zeros elsewhere.

    Returns the sum of the brightness and the number of pixels lit. Works row by row, each step over all pixels of a
    row, so that its plain arithmetic becomes vector instructions.

    attributes        (V, 16): unit normal, point, albedo BGR, gloss, share of open sky, u, v on the skin, kind
    texture, bump     (S, S, 3) factors and (S, S, 2) normal offsets, repeated over all but eyes; S a power of two
    photo             (P, P, 3) uint8 over the SKIN and under the paint: 128 times factors, to be applied by
                      ``photo_strength``, in a mirror or not; (1, 1, 3) for none
    paint             (P, P, 4) uint8 BGRA laid over the SKIN, over u, v from 0 to 1
    ambient           (3, 9) spherical harmonics;  lights (L, 3) unit vectors towards each light;  colors (L, 3)
    specular, polish  how strongly lamps are mirrored, and by how small spots (0..1);  sheen  how strongly the sky is
    eyes              iris radius, pupil radius (radians), then BGR of iris and sclera
    shadow_*          depth map seen from light 0: (S, S), its axes (3, 3), (scale, x0, y0), bias in mm
    fog, haze         0..1, the share of haze in what is seen, and its colour (3,)
    """
    size = out.shape[0]
    clear = ONE - fog
    three, least = np.float32(3), np.float32(0.02)
    spread = ONE / (ONE + wrap)
    brightness, lit = ZERO, 0
    pixels = np.empty((_ROWS, size), np.float32)
    where = np.empty(size, np.int32)
    for y in range(size):
        count = 0
        for x in range(size):
            t = triangle_of[y, x]
            if t < 0:
                for k in range(4):
                    out[y, x, k] = ZERO
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            w1, w2 = bary[y, x, 0], bary[y, x, 1]
            w0 = ONE - w1 - w2
            for k in range(KIND + 1):
                pixels[k, count] = w0 * attributes[a, k] + w1 * attributes[b, k] + w2 * attributes[c, k]
            where[count] = x
            count += 1
        if count == 0:
            continue
        lit += count
        if photo.shape[0] > 1:
            _photographed(photo, photo_strength, photo_mirrored, pixels, count)
        _paint_over(paint, pixels, count)
        _color(texture, bump, eyes, pixels, count)
        for i in range(count):
            nx, ny, nz = pixels[_N, i], pixels[_N + 1, i], pixels[_N + 2, i]
            px, py, pz = pixels[_P, i], pixels[_P + 1, i], pixels[_P + 2, i]
            away = -ONE / np.sqrt(px * px + py * py + pz * pz)
            vx, vy, vz = px * away, py * away, pz * away  # towards the camera
            length = ONE / np.sqrt(nx * nx + ny * ny + nz * nz + TINY)
            length = -length if nx * vx + ny * vy + nz * vz < ZERO else length
            pixels[_N, i], pixels[_N + 1, i], pixels[_N + 2, i] = nx * length, ny * length, nz * length
            pixels[_VIEW, i], pixels[_VIEW + 1, i], pixels[_VIEW + 2, i] = vx, vy, vz
            # more of the sky is mirrored towards the rim (Schlick 1994)
            rim = max(ZERO, ONE - (nx * vx + ny * vy + nz * vz) * length)
            rim = rim * rim * rim * rim * rim
            pixels[_MIRROR, i] = min(pixels[_SHINE, i], ONE) * sheen * (np.float32(0.08) + np.float32(0.7) * rim)
            pixels[_SHADOW, i] = ONE
            for k in range(_LIT, _LIT + 6):
                pixels[k, i] = ZERO
        if shadow_depth.shape[0] > 1:
            _cast(shadow_depth, shadow_axes, shadow_scale, shadow_bias, pixels, count)
        for j in range(lights.shape[0]):
            lx, ly, lz = lights[j, 0], lights[j, 1], lights[j, 2]
            l0, l1, l2 = colors[j, 0], colors[j, 1], colors[j, 2]
            for i in range(count):
                nx, ny, nz = pixels[_N, i], pixels[_N + 1, i], pixels[_N + 2, i]
                d = nx * lx + ny * ly + nz * lz
                # subsurface scattering softens the terminator of skin
                diffuse = max(ZERO, (d + wrap) * spread) * pixels[_SHADOW, i]
                hx, hy, hz = lx + pixels[_VIEW, i], ly + pixels[_VIEW + 1, i], lz + pixels[_VIEW + 2, i]
                hd = max(ZERO, nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz + TINY)
                h4 = hd * hd * hd * hd
                h12 = h4 * h4 * h4
                # to the 14th on skin, the more of the 60th the more it is polished, to the 60th on eyes
                h60 = h12 * h12 * h12 * h12 * h12
                h14 = h12 * hd * hd
                glint = h60 if pixels[_KIND, i] >= ZERO else h14 + polish * (np.float32(2) * h60 - h14)
                glint = glint * pixels[_SHINE, i] * pixels[_SHADOW, i] if d > ZERO else ZERO
                pixels[_LIT, i] += diffuse * l0
                pixels[_LIT + 1, i] += diffuse * l1
                pixels[_LIT + 2, i] += diffuse * l2
                pixels[_GLINT, i] += glint * l0
                pixels[_GLINT + 1, i] += glint * l1
                pixels[_GLINT + 2, i] += glint * l2
                pixels[_SHADOW, i] = ONE  # only the first lamp has one
        for k in range(3):
            a0, a1, a2, a3, a4 = ambient[k, 0], ambient[k, 1], ambient[k, 2], ambient[k, 3], ambient[k, 4]
            a5, a6, a7, a8 = ambient[k, 5], ambient[k, 6], ambient[k, 7], ambient[k, 8]
            veil = fog * haze[k]
            for i in range(count):
                nx, ny, nz, open_sky = pixels[_N, i], pixels[_N + 1, i], pixels[_N + 2, i], pixels[_OPEN, i]
                sky = (
                    a0 + a1 * ny + a2 * nz + a3 * nx + a4 * nx * ny + a5 * ny * nz + a6 * (three * nz * nz - ONE)
                    + a7 * nx * nz + a8 * (nx * nx - ny * ny)
                )  # fmt: skip
                direct = pixels[_LIT + k, i] * (np.float32(0.35) + np.float32(0.65) * open_sky)
                sky = max(sky, least) * open_sky
                color = pixels[_C + k, i] * (sky + direct) + pixels[_MIRROR, i] * sky
                color = (color + pixels[_GLINT + k, i] * specular * open_sky) * clear + veil
                brightness += color
                pixels[_LIT + k, i] = color
        for i in range(count):
            x = where[i]
            for k in range(3):
                out[y, x, k] = pixels[_LIT + k, i]
            out[y, x, 3] = ONE
    return brightness / three, lit


@nb.njit(fastmath=True, error_model="numpy", cache=True)
def compose(layer, background, exposure, out):
    """Compose ``layer`` (3n, 3n, 4) over ``background`` (2n, 2n, 3) into ``out`` (2n, 2n, 3).

    The layer shrinks to two thirds; every source pixel counts by the area that it covers. The result is multiplied by
    ``exposure``.
    """
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
