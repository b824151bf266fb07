"""How well lesions lie where masks asked for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from napari_hsisynth.metrics.mask_agreement import iou

Images = NDArray[np.float32]
Masks = NDArray[np.bool_]


def mask_following(real: Images, real_masks: Masks, samples: Images, sample_masks: Masks) -> dict[str, float]:
    """Find the lesion of each sample without its mask, and compare the two; real images give the figure to reach.

    The mean difference between lesion and skin in the real images is the direction along which pixels are seen. Each
    image by itself is cut in two by Otsu's threshold of its pixels (1979, doi:10.1109/TSMC.1979.4310076); the side of
    lesions is what was found. A threshold does not find real lesions perfectly either, and masks that lie in the centre
    of every image overlap anyhow, so ``mask_iou`` is to be read beside ``mask_iou_real`` and ``mask_iou_chance``.

    Parameters
    ----------
    real : ndarray, shape (n, bands, y, x)
        Normalised.
    real_masks : ndarray of bool, shape (n, y, x)
        Their lesions.
    samples : ndarray, shape (m, bands, y, x)
        Normalised.
    sample_masks : ndarray of bool, shape (m, y, x)
        What each was told.

    Returns
    -------
    dict
        ``mask_iou`` and ``mask_iou_real``: mean intersection over union of what was found and the mask, 0..1.
        ``mask_iou_chance``: that of what was found and the next sample's mask, which a model blind to masks comes to;
        left out if all samples were told the same mask.
        ``lesion_contrast``: how far lesion and skin are apart in the samples, over the same in the real images; 1 is as
        in these, 0 is no lesion. Images whose mask is empty or full, or that are not finite, are left out; nothing is
        returned if no others are left on either side.
    """
    real, real_masks = _judged(real, real_masks)
    samples, sample_masks = _judged(samples, sample_masks)
    if not len(real) or not len(samples):
        return {}
    direction = np.mean([_difference(*pair) for pair in zip(real, real_masks, strict=True)], axis=0)
    seen_real, seen = (np.tensordot(images, direction, axes=(1, 0)) for images in (real, samples))
    contrast = float(np.square(direction).sum())  # the mean of the real images' differences, seen along it
    figures = {
        "mask_iou": _overlap(seen, sample_masks),
        "mask_iou_real": _overlap(seen_real, real_masks),
        "lesion_contrast": _contrast(seen, sample_masks) / contrast if contrast else 0.0,
    }
    following = np.roll(sample_masks, -1, axis=0)
    if not np.array_equal(sample_masks, following):
        figures["mask_iou_chance"] = _overlap(seen, following)
    return figures


def _judged(images: Images, masks: Masks) -> tuple[Images, Masks]:
    """Those that are finite and show lesion and skin."""
    kept = masks.any(axis=(1, 2)) & ~masks.all(axis=(1, 2)) & np.isfinite(images).all(axis=(1, 2, 3))
    return images[kept], masks[kept]


def _difference(image: Images, mask: Masks) -> NDArray[np.float64]:
    """Mean spectrum of the lesion minus that of the skin."""
    return image[:, mask].mean(axis=1, dtype=np.float64) - image[:, ~mask].mean(axis=1, dtype=np.float64)


def _contrast(seen: NDArray[np.float64], masks: Masks) -> float:
    return float(np.mean([one[mask].mean() - one[~mask].mean() for one, mask in zip(seen, masks, strict=True)]))


def _overlap(seen: NDArray[np.float64], masks: Masks) -> float:
    """Mean over the images (n, y, x) of how well what lies above Otsu's threshold agrees with the mask."""
    return float(np.mean([iou(one > threshold_otsu(one), mask) for one, mask in zip(seen, masks, strict=True)]))
