"""What an RGB-to-cube model has to beat: linear regression, and the skin model inverted. Neither is a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.optics import SkinInversion, camera_gain
from napari_hsisynth.photographs import linear_light

LINEAR_REGRESSION, SKIN_INVERSION = "linear regression", "skin-optics inversion"

#: Cubes (n, bands, y, x) in the camera's values to what they look like, sRGB in 0-1, (n, 3, y, x).
Render = Callable[[NDArray[np.float32]], NDArray[np.float32]]

#: Training pixels that the baselines are fitted on, and those that the gain is estimated from.
MOST_PIXELS, _GAIN_PIXELS = 65536, 8192
# Of the mean variance of the three channels: keeps three equal channels from dividing 0 by 0, and does nothing else
_RIDGE = 1e-6
#: A rendered channel may differ by this much from the weighted sum of bands that it is taken for, linear light.
_NOT_LINEAR = 2e-3
_PROBE = 0.1  # of the mean value of a band


@dataclass(frozen=True, eq=False)
class TrainingPixels:
    """Pixels drawn from the training split.

    Parameters
    ----------
    spectra : ndarray, float64, shape (n, bands)
        In the camera's values.
    rgb : ndarray, float64, shape (n, 3)
        What they look like, sRGB in 0-1.
    skin : ndarray of bool, shape (n,)
        Outside of the lesions, in crops whose lesion is marked.
    """

    spectra: NDArray[np.float64]
    rgb: NDArray[np.float64]
    skin: NDArray[np.bool_]


def training_pixels(images: NDArray[np.float32], masks: NDArray[np.bool_], render: Render) -> TrainingPixels:
    """Draw as many pixels from every image (n, bands, y, x), the same ones at every call."""
    count, bands, height, width = images.shape
    each = min(height * width, -(-MOST_PIXELS // count))
    rng = np.random.default_rng(0)
    places = np.stack([rng.permutation(height * width)[:each] for _ in range(count)])
    spectra = np.concatenate([image.reshape(bands, -1)[:, here].T for image, here in zip(images, places, strict=True)])
    inside = np.concatenate([mask.reshape(-1)[here] for mask, here in zip(masks, places, strict=True)])
    marked = np.repeat(masks.any(axis=(1, 2)), each)
    return TrainingPixels(spectra.astype(np.float64), _looks(spectra, render), ~inside & marked)


class LinearRegression:
    """Bands as weighted sums of red, green and blue in linear light, plus a constant: ridge regression.

    Parameters
    ----------
    rgb : array_like, shape (n, 3)
        SRGB in 0-1.
    spectra : array_like, shape (n, bands)
        What it is to become.

    Notes
    -----
    In linear light, since each channel is then a weighted sum of the bands itself, where it is not clipped. For pixels
    drawn from the same distribution this is the best linear estimate there is (Wiener's).
    """

    def __init__(self, rgb: ArrayLike, spectra: ArrayLike) -> None:
        light, bands = linear_light(np.asarray(rgb, np.float64)), np.asarray(spectra, np.float64)
        self._centre, self._mean = light.mean(axis=0), bands.mean(axis=0)
        centred = light - self._centre
        moments = centred.T @ centred / len(light)
        ridge = _RIDGE * max(float(np.trace(moments)) / 3, np.finfo(np.float64).tiny)
        self._weights = np.linalg.solve(
            moments + ridge * np.eye(3), centred.T @ (bands - self._mean) / len(light)
        )  # (3, bands)

    def __call__(self, rgb: NDArray[np.floating]) -> NDArray[np.float32]:
        """Cubes (n, bands, y, x) of sRGB images (n, 3, y, x)."""
        made = np.empty((len(rgb), len(self._mean), *rgb.shape[2:]), np.float32)
        for cube, image in zip(made, rgb, strict=True):
            light = linear_light(image.astype(np.float64)) - self._centre[:, None, None]
            cube[...] = np.tensordot(self._weights.T, light, 1) + self._mean[:, None, None]
        return made


def rgb_weights(pixels: TrainingPixels, render: Render) -> NDArray[np.float64]:
    """Weights of the bands in linear red, green and blue that a render has, found by asking it, shape (3, bands).

    Raises
    ------
    InputError
        If it is no weighted sum of the bands.
    """
    middle = pixels.spectra.mean(axis=0)
    step = np.maximum(_PROBE * np.abs(middle), 1e-3)
    more, less = (linear_light(_looks(middle + sign * np.diag(step), render)) for sign in (1, -1))
    weights: NDArray[np.float64] = ((more - less) / (2 * step[:, None])).T
    inside = ((pixels.rgb > 0) & (pixels.rgb < 1)).all(axis=1)
    missed = np.abs(linear_light(pixels.rgb[inside]) - pixels.spectra[inside] @ weights.T)
    if not inside.any() or np.percentile(missed, 99) > _NOT_LINEAR:
        raise InputError("the model's colours are no weighted sums of the bands")
    return weights


def skin_inversion(
    pixels: TrainingPixels, wavelengths_nm: ArrayLike, render: Render
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return what makes cubes (n, bands, y, x) of sRGB images (n, 3, y, x) by `optics.SkinInversion`.

    Of the training split it takes the gain of the camera, see `optics.camera_gain`, and nothing else.

    Raises
    ------
    InputError
        If the skin model does not cover the bands, or the render is no weighted sum of them.
    """
    weights = rgb_weights(pixels, render)
    some = np.linspace(0, len(pixels.spectra) - 1, min(_GAIN_PIXELS, len(pixels.spectra))).astype(int)
    gain = camera_gain(wavelengths_nm, weights, pixels.spectra[some], pixels.skin[some])
    inversion = SkinInversion(wavelengths_nm, weights, gain=gain)
    return lambda rgb: np.stack([inversion.invert(image).values for image in rgb])


def _looks(spectra: NDArray[np.floating], render: Render) -> NDArray[np.float64]:
    """What spectra (n, bands) look like, shape (n, 3)."""
    return render(spectra.T[None, :, :, None].astype(np.float32))[0, :, :, 0].T.astype(np.float64)
