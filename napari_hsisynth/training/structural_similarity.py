"""Multi-scale structural similarity of images in training: differentiable, for any number of bands and small sides."""

from __future__ import annotations

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


def similarity_of_scales(images: Tensor, others: Tensor, *, data_range: float) -> Tensor:
    """Similarity of two images at each scale, 1 where they are equal.

    At every scale but the coarsest, contrast and structure; at the coarsest, luminance as well.

    Parameters
    ----------
    images, others : Tensor, shape (n, bands, y, x)
        At least 11 px high and wide. In single precision whatever autocast says: variances are differences.
    data_range : float
        Between the smallest and the largest value that counts.

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
                similar = similar * (2 * mean_a * mean_b + first) / (mean_a**2 + mean_b**2 + first)
            found.append(similar.mean(dim=(1, 2, 3)))
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return torch.stack(found, dim=1)


def multi_scale_ssim(images: Tensor, others: Tensor, *, data_range: float) -> Tensor:
    """Multi-scale structural similarity (n,), at most 1; parameters as of `similarity_of_scales`.

    The product over scales, each to the power of its weight; a negative similarity counts as 0.

    References
    ----------
    Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment", 2003,
    doi:10.1109/ACSSC.2003.1292216.
    """
    found = similarity_of_scales(images, others, data_range=data_range)
    weights = torch.tensor(scale_weights(min(images.shape[-2:])), device=found.device)
    return (found.clamp(min=0) ** weights).prod(dim=1)


def multi_scale_dissimilarity(images: Tensor, others: Tensor, *, data_range: float) -> Tensor:
    """What multi-scale SSIM lacks to 1, to first order, (n,); parameters as of `similarity_of_scales`.

    The weighted sum over scales. The product itself has no gradient as long as nothing is alike at one scale, which is
    how every training begins.
    """
    found = similarity_of_scales(images, others, data_range=data_range)
    weights = torch.tensor(scale_weights(min(images.shape[-2:])), device=found.device)
    return (1 - found) @ weights


def _windowed(maps: Tensor) -> Tensor:
    """Gaussian means (..., y - 10, x - 10) of maps (..., y, x)."""
    # as products with band matrices: convolutions of single channels are ten times slower on a CPU
    return _means(maps.shape[-2], maps.device) @ maps @ _means(maps.shape[-1], maps.device).T


def _means(side: int, device: torch.device) -> Tensor:
    """Matrix (side - 10, side) of Gaussian means along an axis."""
    offset = torch.arange(side, device=device) - torch.arange(side - _WINDOW_PX + 1, device=device)[:, None]
    middle = (_WINDOW_PX - 1) / 2
    window = torch.exp(-(((offset - middle) / _SIGMA_PX) ** 2) / 2) * ((offset >= 0) & (offset < _WINDOW_PX))
    return window / window.sum(dim=1, keepdim=True)
