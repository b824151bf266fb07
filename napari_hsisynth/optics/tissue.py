"""Skin and lesions as maps of what absorbs and scatters: the input of `skin_reflectance`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.optics.draws import Draws
from napari_hsisynth.optics.lesions import Traits
from napari_hsisynth.optics.reflectance import Skin
from napari_hsisynth.optics.shapes import Outline, Window, net, random_field, window_field
from napari_hsisynth.optics.strokes import curves, strokes

SKIN_SATURATION = 0.65
#: A lesion's tissue fades out within this many radii.
SPREAD = 1.5
_MOST_GLOBULES = 60
# Darkest that blotches, network and globules together may make the pigment, log
_MOST_PIGMENT = 1.0


def plain_skin(draws: Draws, traits: Traits, shape: tuple[int, int]) -> Skin:
    """Maps of skin without a lesion, float32 (y, x): mottled, with fine relief and a blush here and there."""
    mottled = random_field(draws, shape, cycles=0, width=5)
    grain = random_field(draws, shape, cycles=10, width=14)
    blush = random_field(draws, shape, cycles=3, width=5)
    mottled *= np.float32(0.06)
    mottled += np.float32(0.04) * grain
    mottled += 1
    mottled *= np.float32(traits.skin_melanin)
    blush *= np.float32(0.15)
    blush += np.float32(0.10) * grain
    np.exp(blush, out=blush)
    blush *= np.float32(traits.skin_blood)
    grain *= np.float32(0.02)
    grain += 1
    return Skin(
        melanin_fraction=np.maximum(mottled, np.float32(0.003), out=mottled),
        thickness_cm=np.full(shape, traits.skin_thickness_cm, np.float32),
        blood_fraction=blush,
        oxygen_saturation=np.full(shape, SKIN_SATURATION, np.float32),
        scattering_gain=grain,
    )


def grow_lesion(skin: Skin, draws: Draws, traits: Traits, outline: Outline) -> tuple[Window, NDArray[np.bool_]]:
    """Put one lesion into the maps of the skin, in place.

    Parameters
    ----------
    skin : Skin
        Maps, float32 (y, x).
    draws : Draws
        Of the texture.
    traits : Traits
        Of the lesion.
    outline : Outline
        Where it is.

    Returns
    -------
    window : tuple of slice
        Rows and columns of the image that the lesion reaches.
    mask : ndarray, bool
        The lesion in this window, within its outline.
    """
    window = outline.window(skin.melanin_fraction.shape, SPREAD)
    shape = (window[0].stop - window[0].start, window[1].stop - window[1].start)
    level, down, right = outline.level(window)
    mask = level < 1
    angles = draws.uniforms(3, 0, 2 * np.pi)
    heavy, abrupt, scar_side = (np.float32(np.sin(a)) * down + np.float32(np.cos(a)) * right for a in angles)
    diameters = min(shape) / (2 * outline.reach_px)  # the fields' unit is the window's shorter side
    cloudy = window_field(draws, shape, cycles=0, width=4 * diameters)
    scars = window_field(draws, shape, cycles=0, width=2.5 * diameters)
    rough = window_field(draws, shape, cycles=6 * diameters, width=5 * diameters)
    # a net of some twenty holes across, but none that the pixels could not show
    cell_px = max(2 * outline.reach_px * draws.uniform(0.032, 0.055), 4.0)
    angle, (one, two) = draws.uniform(0, np.pi), draws.uniforms(2, -1, 1).astype(np.float32)
    bends = (
        (np.float32(1.6) + one) * cloudy + np.float32(0.8) * rough,
        (two - np.float32(1.6)) * cloudy + np.float32(0.8) * rough,
    )
    holes = _sigmoid(3 * net(shape, cell_px, angle, bends))

    # How far the lesion's tissue has replaced skin: .5 on the outline, which the tissue follows with some freedom.
    wander = level + np.float32(0.3 * traits.edge) * (rough + cloudy)
    fading = 1 + np.float32(0.5) * abrupt
    fading *= np.float32(0.45 * traits.edge)
    presence = _sigmoid((1 - wander) / fading)
    pigment = _log_pigment(traits, level, cloudy, scars, holes)
    pigment += np.float32(traits.imbalance / 2) * level * heavy
    pigment += np.float32(0.9) * _globules(draws, traits, outline, window)
    np.exp(np.minimum(pigment, np.float32(_MOST_PIGMENT), out=pigment), out=pigment)
    pigment *= presence
    scarred = _sigmoid(5 * (scars + np.minimum(level, 1) * scar_side - np.float32(1.1)))
    scarred *= np.float32(traits.regression) * presence
    vessels = _vessels(draws, traits, outline, window)

    melanin, thickness, blood, saturation, scattering = (each[window] for each in skin)
    kept = 1 - scarred
    melanin += np.float32(traits.melanin) * kept * pigment
    np.minimum(melanin, np.float32(0.5), out=melanin)
    thickness *= 1 + np.float32(traits.thickening - 1) * presence * kept
    blood += np.float32(traits.blood) * presence * (1 + scarred)
    blood += np.float32(traits.vessel_blood) * vessels * (np.float32(0.25) + presence)
    np.minimum(blood, np.float32(0.2), out=blood)
    saturation += (np.float32(traits.oxygen_saturation) - saturation) * presence
    scattering *= 1 + np.float32(traits.scattering_gain - 1) * presence + np.float32(0.2) * scarred
    return window, mask


def _log_pigment(
    traits: Traits,
    level: NDArray[np.float32],
    cloudy: NDArray[np.float32],
    scars: NDArray[np.float32],
    holes: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Blotches, and the network around the holes of the mesh."""
    # sparse where another field is low, and denser towards the border, where dermoscopy sees it best
    there = 1 - np.float32(traits.patchiness) * _sigmoid(4 * scars)
    there *= np.minimum(np.float32(0.35) + level, 1)
    network = (np.float32(0.45) - holes) * np.float32(traits.network)
    network *= there
    network += np.float32(traits.unevenness) * cloudy
    return network


def _globules(draws: Draws, traits: Traits, outline: Outline, window: Window) -> NDArray[np.float32]:
    """Coverage of dots and globules: some in a cluster on one side, some anywhere within the outline."""
    shape = (window[0].stop - window[0].start, window[1].stop - window[1].start)
    angle = draws.uniforms(_MOST_GLOBULES, -np.pi, np.pi)
    out = np.sqrt(draws.uniforms(_MOST_GLOBULES, 0.0, 0.95))
    gathered = draws.uniforms(_MOST_GLOBULES) < 0.5 * traits.patchiness
    angle = np.where(gathered, angle / 4 + draws.uniform(0, 2 * np.pi), angle)
    radius = outline.reach_px * traits.globule_size * np.exp(0.4 * draws.normals(_MOST_GLOBULES))
    strength = draws.uniforms(_MOST_GLOBULES, 0.4, 1.0)
    points = _within(outline, window, angle, out)
    n = int(traits.globules)
    return strokes(shape, points[:n], radius[:n], strength[:n])


def _within(
    outline: Outline, window: Window, angle: NDArray[np.float64], level: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Points (n, 2) of a window at angles and shares of the outline's radius there."""
    turns = (angle + np.pi) / (2 * np.pi)
    radii = outline.radii_px
    radius = level * np.interp((turns - np.floor(turns)) * len(radii), np.arange(len(radii) + 1), [*radii, radii[0]])
    y, x = outline.centre[0] - window[0].start, outline.centre[1] - window[1].start
    return np.stack([y + radius * np.sin(angle), x + radius * np.cos(angle)], axis=1)


def _vessels(draws: Draws, traits: Traits, outline: Outline, window: Window) -> NDArray[np.float32]:
    """Coverage of the lesion's vessels."""
    shape = (window[0].stop - window[0].start, window[1].stop - window[1].start)
    reach = outline.reach_px
    thin = max(0.012 * reach, 0.25)
    if traits.vessels == "dotted":
        count = 70
        angle = draws.uniforms(count, -1.2, 1.2) + draws.uniform(0, 2 * np.pi)
        points = _within(outline, window, angle, np.sqrt(draws.uniforms(count, 0, 0.95)))
        return strokes(shape, points, 1.4 * thin, draws.uniforms(count, 0.5, 1))
    if traits.vessels == "linear":
        count = 14
        starts = _within(outline, window, draws.uniforms(count, -np.pi, np.pi), np.sqrt(draws.uniforms(count, 0, 0.9)))
        lengths = reach * draws.uniforms(count, 0.12, 0.4)
        paths = curves(
            starts,
            draws.uniforms(count, 0, 2 * np.pi),
            lengths,
            draws.uniforms(count, -1.5, 1.5),
            draws.uniforms(count, -1, 1),
        )
        return strokes(shape, paths, thin, 0.8)
    if traits.vessels == "branching":
        return _tree(draws, outline, window, thin)
    return np.zeros(shape, np.float32)


def _tree(draws: Draws, outline: Outline, window: Window, thin: float) -> NDArray[np.float32]:
    """Trunks that come in over the border; each level of branches is shorter and thinner and leaves the one before."""
    shape = (window[0].stop - window[0].start, window[1].stop - window[1].start)
    trunks = 3
    angle = draws.uniforms(trunks, -0.9, 0.9) + draws.uniform(0, 2 * np.pi)
    starts = _within(outline, window, angle, np.full(trunks, 1.05))
    headings = angle + np.pi + draws.uniforms(trunks, -0.4, 0.4)
    length = 1.1 * outline.reach_px
    points, radii = [], []
    for each, width in ((5, 1.7), (3, 1.1), (0, 0.7)):
        count = len(starts)
        bends, wiggles = draws.uniforms(count, -0.8, 0.8), draws.uniforms(count, -0.7, 0.7)
        paths = curves(starts, headings, length * draws.uniforms(count, 0.6, 1), bends, wiggles)
        points.append(paths.reshape(-1, 2))
        radii.append(np.full(paths.shape[0] * paths.shape[1], width * thin))
        leave = draws.uniforms(count * each, 0.15, 0.95).reshape(count, each)
        at = (leave * paths.shape[1]).astype(np.intp)
        starts = paths[np.arange(count)[:, None], at].reshape(-1, 2)
        side = np.where(draws.uniforms(count * each) < 0.5, -1.0, 1.0)
        headings = (headings[:, None] + bends[:, None] * leave).reshape(-1)
        headings = headings + side * draws.uniforms(count * each, 0.4, 1.0)
        length *= 0.45
    return strokes(shape, np.concatenate(points), np.concatenate(radii))


def _sigmoid(values: NDArray[Any]) -> NDArray[np.float32]:
    """1 / (1 + exp(-values)), values of any size."""
    out = np.clip(values, -30, 30)
    np.negative(out, out=out)
    np.exp(out, out=out)
    out += 1
    return np.divide(1, out, out=out)
