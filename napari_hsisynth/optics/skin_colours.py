"""Colours of skin over melanin, blood and light, and the skin that explains given colours best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.photographs import srgb_and_slope

Floats = NDArray[np.floating[Any]]

#: What is thought of a pixel before its colour is seen: natural logarithms of melanin fraction, blood fraction, light.
#: Half way between light skin and a melanoma, normal skin, and a lamp under which white is white; each may well be 2.7,
#: 2 and 1.35 times more or less.
MEAN = np.log([0.05, 0.005, 1.0])
SPREAD = np.array([1.0, 0.7, 0.3])
LOW, HIGH = np.log([0.002, 0.0003, 0.2]), np.log([0.5, 0.1, 5.0])
#: Standard deviation of a channel, of sRGB in 0-1: what rounding to 8 bits leaves.
NOISE = 1 / 255 / np.sqrt(12)

MELANIN_NODES, BLOOD_NODES = 256, 128
_SEEDS = (12, 5, 5)
_STRONG = np.log(0.15)  # melanin fraction from which the other minimum is looked for
_APART = 0.02  # in the logarithms: so far from each other are two minima
_GRID = 33  # colours along each channel for which a start is kept
_ROUNDS = 30
_CONVERGED = 2e-4  # of the logarithms
_LARGEST_MOVE = 1.5
_MOST_DAMPING = 1e6


def grid_fractions() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Melanin and blood fractions of the nodes that `SkinColours` is made of, even in their logarithms."""
    return (
        np.exp(np.linspace(LOW[0], HIGH[0], MELANIN_NODES)),
        np.exp(np.linspace(LOW[1], HIGH[1], BLOOD_NODES)),
    )


class SkinColours:
    r"""The most probable melanin, blood and light of a colour.

    Parameters
    ----------
    linear : ndarray, shape (3, MELANIN_NODES, BLOOD_NODES)
        Linear red, green and blue of the skin at the nodes of `grid_fractions` under a light of 1. Bilinear between.

    Notes
    -----
    With u the three logarithms, :math:`|e(l\,C(u)) - y|^2/\sigma^2 + |(u - \mu)/\tau|^2` is minimised by damped
    Gauss-Newton steps (Levenberg and Marquardt) within a box; what a step would push out of the box is held at its wall
    in that round. Each colour starts at the solution for the nearest colour of a grid over sRGB, those at the best of
    some hundred points of the box. Where two minima lie near that colour, both are tried.
    Of skin drawn from twice the spreads about the mean, 2 % (strong melanin, nearly black) still end in a minimum that
    is not the lowest; of skin within the spreads, none.
    """

    def __init__(self, linear: NDArray[np.floating[Any]]) -> None:
        nodes = np.asarray(linear, np.float32)
        self._nodes = np.ascontiguousarray(np.moveaxis(nodes, 0, 2).reshape(-1, 3))
        self._steps = (HIGH[:2] - LOW[:2]) / (MELANIN_NODES - 1, BLOOD_NODES - 1)
        axis = np.linspace(0, 1, _GRID)
        colours = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")).reshape(3, -1)
        # the kink where scattering is held above 0 can make a second minimum at strong melanin
        first, second = (self._improved(seed, colours) for seed in self._best_seeds(colours))
        better = self._cost(second, colours) < self._cost(first, colours)
        self._starts = np.where(better, second, first).astype(np.float32)
        self._others = np.where(better, first, second).astype(np.float32)
        self._two = np.abs(first - second).max(axis=0) > _APART

    def explain(self, colours: Floats) -> Floats:
        """Return logarithms of melanin fraction, blood fraction and light.

        Parameters
        ----------
        colours : ndarray, shape (3, n)
            sRGB in 0-1, finite.

        Returns
        -------
        ndarray, shape (3, n)
            Of the same type. Each depends on nothing but its own colour.
        """
        red, green, blue = np.rint(colours * (_GRID - 1)).astype(np.intp)
        node = (red * _GRID + green) * _GRID + blue
        found = self._improved(self._starts[:, node].astype(colours.dtype), colours)
        two = self._two[node]
        if two.any():
            other = self._improved(self._others[:, node[two]].astype(colours.dtype), colours[:, two])
            better = self._cost(other, colours[:, two]) < self._cost(found[:, two], colours[:, two])
            found[:, two] = np.where(better, other, found[:, two])
        return found

    def seen(self, at: Floats) -> tuple[Floats, Floats]:
        """SRGB of skin, not clipped, and its slopes.

        Parameters
        ----------
        at : ndarray, shape (3, n)
            Logarithms of melanin fraction, blood fraction and light, inside the box.

        Returns
        -------
        colours : ndarray, shape (3, n)
        slopes : ndarray, shape (3, 3, n)
            Derivative of each channel (second axis) by each parameter (first axis).
        """
        dtype = at.dtype
        place = (at[:2] - LOW[:2, None].astype(dtype)) / self._steps[:, None].astype(dtype)
        corner = np.clip(place.astype(np.intp), 0, [[MELANIN_NODES - 2], [BLOOD_NODES - 2]])
        down, along = (place - corner).astype(dtype)
        first = corner[0] * BLOOD_NODES + corner[1]
        a, b, c, d = (self._nodes[first + step].T for step in (0, 1, BLOOD_NODES, BLOOD_NODES + 1))
        upper, lower = a + along * (b - a), c + along * (d - c)
        light = np.exp(at[2])
        linear = (upper + down * (lower - upper)) * light
        colours, rise = srgb_and_slope(linear)
        slopes = np.empty((3, *colours.shape), dtype)
        slopes[0] = rise * light * (lower - upper) / self._steps[0]
        slopes[1] = rise * light * ((b - a) + down * (d - c - b + a)) / self._steps[1]
        slopes[2] = rise * linear
        return colours, slopes

    def _best_seeds(self, colours: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """For each colour the best of some points with weak melanin, and the best of those with strong."""
        axes = [np.linspace(low, high, count + 2)[1:-1] for low, high, count in zip(LOW, HIGH, _SEEDS, strict=True)]
        seeds = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1)
        best = []
        for chosen in (seeds[:, seeds[0] < _STRONG], seeds[:, seeds[0] >= _STRONG]):
            shown = self.seen(chosen)[0] / NOISE
            alone = (((chosen - MEAN[:, None]) / SPREAD[:, None]) ** 2 + shown**2).sum(axis=0)
            best.append(chosen[:, (alone[:, None] - 2 * shown.T @ (colours / NOISE)).argmin(axis=0)])
        return best

    def _cost(self, at: Floats, colours: Floats) -> Floats:
        missed = ((self.seen(at)[0] - colours) / NOISE) ** 2
        return (missed + ((at - MEAN[:, None]) / SPREAD[:, None]) ** 2).sum(axis=0)

    def _improved(self, start: Floats, wanted: Floats) -> Floats:
        dtype = wanted.dtype
        mean, weight = MEAN[:, None].astype(dtype), (NOISE / SPREAD[:, None]).astype(dtype)
        low, high = LOW[:, None].astype(dtype), HIGH[:, None].astype(dtype)
        found = start.copy()
        going = np.arange(wanted.shape[1])
        at, here = found, wanted
        damping = np.full(len(going), 1e-3, dtype)
        colours, slopes = self.seen(at)
        cost = ((colours - here) ** 2).sum(axis=0) + (((at - mean) * weight) ** 2).sum(axis=0)
        for _ in range(_ROUNDS):
            pull = (slopes * (here - colours)).sum(axis=1) + (mean - at) * weight**2
            held = ((at <= low) & (pull < 0)) | ((at >= high) & (pull > 0))
            move = np.clip(_step(slopes, weight[:, 0] ** 2, pull, held, damping), -_LARGEST_MOVE, _LARGEST_MOVE)
            tried = np.clip(at + move, low, high)
            new_colours, new_slopes = self.seen(tried)
            new_cost = ((new_colours - here) ** 2).sum(axis=0) + (((tried - mean) * weight) ** 2).sum(axis=0)
            better = new_cost < cost
            moved = np.abs(tried - at).max(axis=0)
            damping = np.where(better, np.maximum(damping / 8, 1e-6), damping * 5).astype(dtype)
            at, cost = np.where(better, tried, at), np.where(better, new_cost, cost)
            colours, slopes = np.where(better, new_colours, colours), np.where(better, new_slopes, slopes)
            found[:, going] = at
            left = (moved > _CONVERGED) & (damping < _MOST_DAMPING)
            if not left.any():
                break
            going, damping, cost = going[left], damping[left], cost[left]
            at, here, colours, slopes = at[:, left], here[:, left], colours[:, left], slopes[:, :, left]
        return found


def _step(
    slopes: Floats, prior: NDArray[np.floating[Any]], pull: Floats, held: NDArray[np.bool_], damping: Floats
) -> Floats:
    """Solve (J J^T + prior, its diagonal times 1 + damping) x = pull by Cramer's rule; 0 for what is held."""
    free = ~held
    one = 1 + damping
    xx, yy, zz = (
        np.where(free[k], ((slopes[k] ** 2).sum(axis=0) + prior[k]) * one, slopes.dtype.type(1)) for k in range(3)
    )
    xy, xz, yz = (
        np.where(free[k] & free[m], (slopes[k] * slopes[m]).sum(axis=0), slopes.dtype.type(0))
        for k, m in ((0, 1), (0, 2), (1, 2))
    )
    x, y, z = np.where(free, pull, slopes.dtype.type(0))
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    determinant = xx * a + xy * b + xz * c
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    return np.stack([a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z]) / determinant
