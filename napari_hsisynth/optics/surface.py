"""What lies on the skin or shines on it: hair and glints. Part of the image, never of the mask."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.optics.draws import Draws
from napari_hsisynth.optics.strokes import curves, strokes

#: Share of the cubes that show hair.
HAIRY = 0.35
#: What a fully lit glint sends back, relative to a white target that scatters evenly: the camera is dazzled by it.
GLINT = 1.6


class Surface(NamedTuple):
    """What covers the skin, each float32 (y, x), 0 where there is none.

    Parameters
    ----------
    hair : ndarray
        Share of each pixel that hair hides, 0-1.
    specular : ndarray
        Share of each pixel that shines like a mirror, 0-1.
    shade : float
        Reflectance of the hair at 630 nm, 0-1.
    """

    hair: NDArray[np.float32]
    specular: NDArray[np.float32]
    shade: float


def bare(shape: tuple[int, int]) -> Surface:
    """Return a surface without hair or glints."""
    return Surface(np.zeros(shape, np.float32), np.zeros(shape, np.float32), 0.0)


def draw_surface(draws: Draws, shape: tuple[int, int]) -> Surface:
    """Draw hair, in about a third of the images, and glints, on a small share of the pixels."""
    hairy = draws.uniform() < HAIRY
    shade = draws.uniform(0.02, 0.08)
    hair = _hair(draws, shape) if hairy else np.zeros(shape, np.float32)
    return Surface(hair, _glints(draws, shape), shade)


def covered(reflectance: NDArray[np.float32], surface: Surface, wavelengths_nm: ArrayLike) -> NDArray[np.float32]:
    """Lay the surface over the reflectance of the skin, in place: hair first, then what shines.

    Parameters
    ----------
    reflectance : ndarray, float32, shape (bands, y, x)
        Changed and returned.
    surface : Surface
        Of the same image.
    wavelengths_nm : array_like, shape (bands,)
        Melanin makes hair darker at short ones.
    """
    flat = reflectance.reshape(len(reflectance), -1)
    hair = surface.hair.reshape(-1)
    where = np.flatnonzero(hair)
    if where.size:
        hidden = hair[where]
        red = np.clip((np.asarray(wavelengths_nm) - 400) / 230, 0, None) ** 1.5
        for band, own in zip(flat, (0.015 + surface.shade * red).astype(np.float32), strict=True):
            skin = band[where]
            band[where] = skin + (own - skin) * hidden
    shine = surface.specular.reshape(-1)
    where = np.flatnonzero(shine)
    lit = shine[where]
    for band in flat:
        skin = band[where]
        band[where] = skin + (np.float32(GLINT) - skin) * lit
    return reflectance


def _hair(draws: Draws, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Long thin curves, most of them combed one way."""
    side = min(shape)
    most = 26
    count = 2 + int((most - 2) * draws.uniform() ** 2)
    combed = draws.uniform(0, np.pi) + 0.35 * draws.normals(most)
    headings = np.where(draws.uniforms(most) < 0.2, draws.uniforms(most, 0, 2 * np.pi), combed)
    lengths = side * draws.uniforms(most, 0.4, 1.7)
    middles = np.stack([draws.uniforms(most, 0, size) for size in shape], axis=1)
    bends, wiggles = 0.7 * draws.normals(most), 0.25 * draws.normals(most)
    half_widths = side * 0.0042 * draws.uniform(0.7, 1.6) * np.exp(0.25 * draws.normals(most))
    along = np.stack([np.sin(headings), np.cos(headings)], axis=1)
    paths = curves(
        (middles - along * lengths[:, None] / 2)[:count], (headings - bends / 2)[:count],
        lengths[:count], bends[:count], wiggles[:count],
    )  # fmt: skip
    way = np.linspace(-1, 1, paths.shape[1])
    taper = np.sqrt(1 - 0.8 * way * way)
    return strokes(shape, paths, (half_widths[:count, None] * taper).reshape(-1), draws.uniform(0.88, 0.98))


def _glints(draws: Draws, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Small bright spots, more of them where the light falls in steeply, and a gel bubble's rim now and then."""
    side = min(shape)
    most = 400
    count = min(int(35 * np.exp(1.2 * draws.normal())), most)
    middles = np.stack([draws.uniforms(4, 0, size) for size in shape], axis=1)
    group = (4 * draws.uniforms(most)).astype(np.intp)
    tight = side * draws.uniforms(4, 0.05, 0.3)
    spots = middles[group] + tight[group, None] * draws.normals(2 * most).reshape(-1, 2)
    alone = draws.uniforms(most) < 0.3
    anywhere = np.stack([draws.uniforms(most, 0, size) for size in shape], axis=1)
    spots = np.where(alone[:, None], anywhere, spots)
    size = side * 0.0028 * np.minimum(np.exp(0.6 * draws.normals(most)), 2.5)
    strength = draws.uniforms(most, 0.35, 1.0)
    # each spot is a short dash along the furrows of the skin
    furrows = draws.uniform(0, np.pi) + 0.5 * draws.normals(most)
    dash = np.linspace(-1, 1, 5)[None, :, None] * (size * draws.uniforms(most, 0, 2))[:, None, None]
    dashes = spots[:, None, :] + dash * np.stack([np.sin(furrows), np.cos(furrows)], axis=1)[:, None, :]
    points = [dashes[:count].reshape(-1, 2)]
    radii, lit = [np.repeat(size[:count], 5)], [np.repeat(strength[:count], 5)]

    bubbles = int(4 * draws.uniform() ** 5)
    radius = side * draws.uniforms(3, 0.012, 0.035)
    rims = curves(
        np.stack([draws.uniforms(3, 0, size) for size in shape], axis=1)[:bubbles],
        draws.uniforms(3, 0, 2 * np.pi)[:bubbles],
        (2 * np.pi * radius)[:bubbles],
        draws.uniforms(3, 3.5, 2 * np.pi)[:bubbles],
    )
    points.append(rims.reshape(-1, 2))
    radii.append(np.full(points[1].shape[0], 0.003 * side))
    lit.append(np.full(points[1].shape[0], 0.5))
    return strokes(shape, np.concatenate(points), np.concatenate(radii), np.concatenate(lit))
