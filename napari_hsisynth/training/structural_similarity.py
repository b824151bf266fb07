"""Multi-scale structural similarity of images in training: differentiable, for any number of bands and small sides."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

#: Weights of the scales from fine to coarse (Wang, Simoncelli and Bovik 2003).
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: The Gaussian window and the constants of Wang et al. 2004.
_WINDOW_PX, _SIGMA_PX = 11, 1.5
_K1, _K2 = 0.01, 0.03


def scale_weights(side_px: int) -> tuple[float, ...]:
    """Weights of the scales that images of a side have, summing to 1.

    Each scale is half the one before, and the coarsest must hold a window of 11 px: five scales need 176 px, four 88,
    three 44, two 22.
    """
    count = 1
    while count < len(_WEIGHTS) and side_px >> count >= _WINDOW_PX:
        count += 1
    return tuple(weight / sum(_WEIGHTS[:count]) for weight in _WEIGHTS[:count])


def similarity_of_scales(images: Tensor, others: Tensor, *, data_range: float, lowest: float = 0.0) -> Tensor:
    """Similarity of two images at each scale, 1 where they are equal.

    At every scale but the coarsest, contrast and structure; at the coarsest, luminance as well.

    Parameters
    ----------
    images, others : Tensor, shape (n, bands, y, x)
        At least 11 px high and wide. In single precision whatever autocast says: variances are differences.
    data_range : float
        Between the smallest and the largest value that counts.
    lowest : float
        The smallest one, from which luminance is measured. Variances do not depend on it.

    Returns
    -------
    Tensor, shape (n, scales)
        Means over bands and windows.
    """
    first, second = (data_range * _K1) ** 2, (data_range * _K2) ** 2
    found = []
    with torch.autocast(images.device.type, enabled=False):
        a, b = images.float(), others.float()
        count = len(scale_weights(min(a.shape[-2:])))
        for scale in range(count):
            mean_a, mean_b, aa, bb, ab = _windowed(torch.stack([a, b, a * a, b * b, a * b]))
            similar = (2 * (ab - mean_a * mean_b) + second) / (aa - mean_a**2 + bb - mean_b**2 + second)
            if scale == count - 1:
                light_a, light_b = mean_a - lowest, mean_b - lowest
                similar = similar * (2 * light_a * light_b + first) / (light_a**2 + light_b**2 + first)
            found.append(similar.mean(dim=(1, 2, 3)))
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return torch.stack(found, dim=1)


def multi_scale_ssim(images: Tensor, others: Tensor, *, data_range: float, lowest: float = 0.0) -> Tensor:
    """Multi-scale structural similarity (n,), at most 1; parameters as of `similarity_of_scales`.

    The product over scales, each to the power of its weight; a negative similarity counts as 0.

    References
    ----------
    Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment", 2003,
    doi:10.1109/ACSSC.2003.1292216.
    """
    found = similarity_of_scales(images, others, data_range=data_range, lowest=lowest)
    weights = torch.tensor(scale_weights(min(images.shape[-2:])), device=found.device)
    return (found.clamp(min=0) ** weights).prod(dim=1)


def multi_scale_dissimilarity(images: Tensor, others: Tensor, *, data_range: float, lowest: float = 0.0) -> Tensor:
    """What multi-scale SSIM lacks to 1, to first order, (n,); parameters as of `similarity_of_scales`.

    The weighted sum over scales. The product itself has no gradient as long as nothing is alike at one scale, which is
    how every training begins.
    """
    found = similarity_of_scales(images, others, data_range=data_range, lowest=lowest)
    weights = torch.tensor(scale_weights(min(images.shape[-2:])), device=found.device)
    return ((1 - found) * weights).sum(dim=1)


def _windowed(maps: Tensor) -> Tensor:
    """Gaussian means (..., y - 10, x - 10) of maps (..., y, x), to single precision.

    On a CPU by products with band matrices: shifts take two to four times as long, and convolutions of single channels
    ten times. A GPU may round the factors of a product to 11 bits (TF32, see `make_fabric`), which differences of means
    do not survive, so there the maps are shifted and summed.
    """
    if maps.device.type == "cpu":
        return _means(maps.shape[-2]) @ maps @ _means(maps.shape[-1]).T
    return _shifted_sum(_shifted_sum(maps, -2), -1)


def _shifted_sum(maps: Tensor, axis: int) -> Tensor:
    """Gaussian means along an axis, which becomes 10 px shorter."""
    shorter = maps.shape[axis] - _WINDOW_PX + 1
    first, *further = _window()
    means = first * maps.narrow(axis, 0, shorter)
    for shift, weight in enumerate(further, start=1):
        means = torch.add(means, maps.narrow(axis, shift, shorter), alpha=weight)
    return means


def _means(side: int) -> Tensor:
    """Matrix (side - 10, side) of Gaussian means along an axis."""
    rows = torch.arange(side - _WINDOW_PX + 1)
    matrix = torch.zeros(len(rows), side)
    for shift, weight in enumerate(_window()):
        matrix[rows, rows + shift] = weight
    return matrix


def _window() -> list[float]:
    """Weights of the Gaussian window along an axis, summing to 1."""
    middle = (_WINDOW_PX - 1) / 2
    weights = [math.exp(-(((place - middle) / _SIGMA_PX) ** 2) / 2) for place in range(_WINDOW_PX)]
    return [weight / sum(weights) for weight in weights]
