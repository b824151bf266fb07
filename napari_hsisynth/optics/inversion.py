"""From colours to spectra of skin: the reflectance model, inverted for every pixel of an RGB image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.optics.chromophores import checked_wavelengths_nm
from napari_hsisynth.optics.reflectance import SURFACE_REFLECTANCE, skin_reflectance
from napari_hsisynth.optics.sensor import REFERENCE_SKIN
from napari_hsisynth.optics.skin_colours import SkinColours, grid_fractions
from napari_hsisynth.photographs import srgb

#: How spectra come about, in one sentence for those who see them.
INVERSION_METHOD = (
    "two-layer skin model (Kubelka-Munk epidermis of 60 µm on a diffusion half-space, 65 % oxygen saturation, average"
    " scattering) whose melanin, blood and light explain each pixel's colour best"
)
#: What may be wrong with a pixel, by its number in `InvertedImage.problems`.
PROBLEMS = {
    1: "not finite",
    2: "black: the colour says nothing",
    3: "saturated: a channel is at its maximum and may have been beyond",
    4: "no colour of the skin model: the spectrum is that of the nearest one",
}

#: A colour that is missed by more than five of 255 steps is none of the model's.
_MOST_RESIDUAL = 0.02
_STEP = 1 / 255

# Pixels worked on at a time, and among which equal colours are looked for
_CHUNK, _BLOCK = 16384, 262144


@dataclass(frozen=True, eq=False)
class InvertedImage:
    """An RGB image seen as skin.

    Parameters
    ----------
    values : ndarray, float32, shape (bands, y, x)
        What a camera with the given gain records: gain times light times reflectance. It looks like the RGB image.
    melanin_fraction, blood_fraction : ndarray, float32, shape (y, x)
        Volume fraction of melanosomes in an epidermis of 60 µm, and of blood in the dermis.
    light : ndarray, float32, shape (y, x)
        Light on the pixel relative to what shows a white surface as white; scattering that is not average counts here.
    residual : ndarray, float32, shape (y, x)
        Root mean square difference from the image over the three channels, sRGB in 0-1.
    problems : ndarray, uint8, shape (y, x)
        0, or a key of `PROBLEMS`. Only pixels that are not finite are NaN in the other arrays; the others get what the
        model comes nearest with.
    gain : ndarray, float64, shape (bands,)
        Value of the camera per unit of reflectance.
    """

    values: NDArray[np.float32]
    melanin_fraction: NDArray[np.float32]
    blood_fraction: NDArray[np.float32]
    light: NDArray[np.float32]
    residual: NDArray[np.float32]
    problems: NDArray[np.uint8]
    gain: NDArray[np.float64]

    def reflectance(self) -> NDArray[np.float32]:
        """Reflectance of the skin, without light and gain, shape (bands, y, x), above 0 and at most 1."""
        level: NDArray[np.float32] = self.light * self.gain.astype(np.float32)[:, None, None]
        return self.values / level

    def counts(self) -> dict[str, int]:
        """How many pixels have which problem, those that occur."""
        numbers = np.bincount(self.problems.reshape(-1), minlength=max(PROBLEMS) + 1)
        return {text: int(numbers[key]) for key, text in PROBLEMS.items() if numbers[key]}


class SkinInversion:
    r"""The most probable skin for every colour.

    Parameters
    ----------
    wavelengths_nm : array_like, shape (bands,)
        Of the spectra, nm, 250-1000.
    rgb_weights : array_like, shape (3, bands)
        From the camera's values to linear red, green and blue, for example `composite.cie1931_rgb_weights`.
    gain : array_like, shape (bands,), optional
        Value of the camera per unit of reflectance, see `camera_gain`; 1 by default: values are reflectance.

    Raises
    ------
    InputError
        If wavelengths are out of range, or shapes do not match.

    Notes
    -----
    With :math:`R(m, b)` of `skin_reflectance` plus `SURFACE_REFLECTANCE`, at an epidermis of 60 µm, an oxygen
    saturation of .65 and average scattering, a pixel of colour :math:`y` in sRGB gets the melanin :math:`m`, blood
    :math:`b` and light :math:`l` that minimise

    .. math:: \frac{|e(W g\, l\, R(m, b)) - y|^2}{\sigma^2} + \sum_{p \in m, b, l}
       \frac{(\ln p - \mu_p)^2}{\tau_p^2}

    where :math:`e` is the encoding of sRGB, :math:`W` the weights and :math:`g` the gain. The prior :math:`\mu, \tau`
    and the noise :math:`\sigma`, which is that of rounding to 8 bits, are those of `skin_colours`. Three numbers are
    asked of three; the second term decides where a colour says little, as in dark pixels. Of what is fixed, an
    epidermis of another thickness reads as another melanin fraction, other scattering as light, blood and melanin.

    Examples
    --------
    >>> nm = np.array([470.0, 540.0, 610.0])
    >>> inversion = SkinInversion(nm, np.eye(3)[::-1])  # red, green and blue see one band each
    >>> spectra = inversion.spectra(np.array([[0.03, 0.005, 1.0]]))
    >>> found = inversion.invert(spectra[0, ::-1].reshape(3, 1, 1), linear=True)
    >>> bool(np.abs(found.values[:, 0, 0] - spectra[0]).max() < 1e-3)
    True
    """

    def __init__(
        self,
        wavelengths_nm: ArrayLike,
        rgb_weights: ArrayLike,
        *,
        gain: ArrayLike | None = None,
    ) -> None:
        self.wavelengths_nm = checked_wavelengths_nm(np.atleast_1d(wavelengths_nm))
        bands = len(self.wavelengths_nm)
        self.rgb_weights = np.asarray(rgb_weights, np.float64)
        self.gain = np.ones(bands) if gain is None else np.asarray(gain, np.float64)
        for name, value, shape in (
            ("rgb_weights", self.rgb_weights, (3, bands)),
            ("gain", self.gain, (bands,)),
        ):
            if value.shape != shape or not np.isfinite(value).all():
                raise InputError(f"{shape} finite numbers are needed, not {value.shape}", where=name)
        if not (self.gain > 0).all():
            raise InputError("must be above 0 in every band", where="gain")

    def spectra(self, parameters: ArrayLike) -> NDArray[np.floating]:
        """What the camera records of skin.

        Parameters
        ----------
        parameters : array_like, shape (n, 3)
            Melanin fraction, blood fraction and light.

        Returns
        -------
        ndarray, shape (n, bands)
            float32 if the parameters are.
        """
        given = np.asarray(parameters)
        melanin, blood, light = given.T
        _, thickness, _, saturation, scattering = REFERENCE_SKIN
        seen = skin_reflectance(self.wavelengths_nm, melanin, thickness, blood, saturation, scattering)
        seen += seen.dtype.type(SURFACE_REFLECTANCE)
        return seen.T * light[:, None] * self.gain.astype(seen.dtype)

    def colours(self, spectra: NDArray[np.floating]) -> NDArray[np.floating]:
        """SRGB, not clipped, of spectra (n, bands), shape (n, 3)."""
        return srgb(spectra @ self.rgb_weights.T.astype(spectra.dtype))

    def parameters(self, colours: ArrayLike) -> NDArray[np.float64]:
        """Melanin fraction, blood fraction and light of sRGB colours (n, 3), shape (n, 3)."""
        return np.exp(self._skin.explain(np.clip(np.asarray(colours, np.float64).T, 0, 1))).T

    def invert(
        self, rgb: ArrayLike, *, linear: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> InvertedImage:
        """Find the skin in every pixel of an image.

        Parameters
        ----------
        rgb : array_like, shape (3, y, x)
            In 0-1; what lies beyond is clipped and counts as saturated.
        linear : bool
            The values are linear light; sRGB by default.
        progress : callable, optional
            Told (done, total) pixels; what it raises ends the work.

        Returns
        -------
        InvertedImage

        Raises
        ------
        InputError
            If it is no such array.
        """
        image = np.asarray(rgb)
        if image.ndim != 3 or image.shape[0] != 3 or image.dtype.kind != "f":
            raise InputError(
                f"an array {image.dtype} of shape {image.shape}", where="rgb", fix="floats of (3, y, x) are needed"
            )
        height, width = image.shape[1:]
        total = height * width
        pixels = image.reshape(3, total)
        values = np.empty((len(self.wavelengths_nm), total), np.float32)
        maps = np.empty((4, total), np.float32)
        problems = np.empty(total, np.uint8)
        for start in range(0, total, _BLOCK):
            here = slice(start, min(start + _BLOCK, total))
            colours = pixels[:, here].T.astype(np.float32)
            distinct, place = _distinct(srgb(colours) if linear else colours)
            parts = []
            for first in range(0, len(distinct), _CHUNK):
                if progress is not None:
                    progress(start + first * len(colours) // len(distinct), total)
                parts.append(self._of(distinct[first : first + _CHUNK]))
            for whole, *found in zip((values, maps, problems), *parts, strict=True):
                whole[..., here] = np.concatenate(found, axis=-1)[..., place]
        if progress is not None:
            progress(total, total)
        melanin, blood, light, residual = maps.reshape(4, height, width)
        return InvertedImage(
            values.reshape(-1, height, width),
            melanin,
            blood,
            light,
            residual,
            problems.reshape(height, width),
            self.gain,
        )

    def _of(self, colours: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
        """Spectra (bands, n), parameters and residual (4, n) and problems of some pixels' sRGB (n, 3)."""
        finite = np.asarray(np.isfinite(colours).all(axis=1))
        wanted = np.clip(np.where(finite[:, None], colours, np.float32(0.5)), 0, 1).astype(np.float32)
        parameters = np.exp(self._skin.explain(wanted.T)).T
        spectra = self.spectra(parameters)
        residual = np.sqrt(((self.colours(spectra) - wanted) ** 2).mean(axis=1))
        problems = np.where(residual > _MOST_RESIDUAL, 4, 0).astype(np.uint8)
        problems[(wanted > 1 - _STEP / 2).any(axis=1)] = 3
        problems[(wanted < _STEP / 2).all(axis=1)] = 2
        problems[~finite] = 1
        found = np.concatenate([parameters, residual[:, None]], axis=1).T
        found[:, ~finite] = np.nan
        spectra[~finite] = np.nan
        return spectra.T, found, problems

    @cached_property
    def _skin(self) -> SkinColours:
        melanin, blood = grid_fractions()
        _, thickness, _, saturation, scattering = REFERENCE_SKIN
        reflectance = skin_reflectance(self.wavelengths_nm, melanin[:, None], thickness, blood, saturation, scattering)
        return SkinColours(np.tensordot(self.rgb_weights * self.gain, reflectance + SURFACE_REFLECTANCE, 1))


def _distinct(colours: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.intp] | slice]:
    """Colours that occur and the place of each pixel's among them; of 8 bits there are few, all others are left."""
    with np.errstate(invalid="ignore"):
        steps = np.rint(colours / np.float32(_STEP))
    if not ((steps >= 0) & (steps <= 255) & (steps / np.float32(255) == colours)).all():
        return colours, slice(None)
    keys = steps.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return colours[first], place


def camera_gain(
    wavelengths_nm: ArrayLike, rgb_weights: ArrayLike, spectra: ArrayLike, skin: ArrayLike
) -> NDArray[np.float64]:
    """Estimate what a camera records per unit of reflectance, from recorded pixels.

    A camera's values are not reflectance: lamp, filters and calibration give every band a gain of its own. Normal skin
    is first taken to be `REFERENCE_SKIN`. Then all pixels are inverted from their colours, and the gain is corrected
    so that the mean of what comes back is the mean of what was recorded; once, since further rounds drift away with
    whatever the model is wrong about.

    Parameters
    ----------
    wavelengths_nm, rgb_weights
        As for `SkinInversion`.
    spectra : array_like, shape (n, bands)
        Recorded pixels, finite; a few thousand will do.
    skin : array_like of bool, shape (n,)
        Which of them are normal skin. If none is, the mean of all is taken for it, which makes the gain too small.

    Returns
    -------
    ndarray, shape (bands,)

    Raises
    ------
    InputError
        If the mean of the skin is not above 0 in every band.
    """
    pixels, normal = np.asarray(spectra, np.float64), np.asarray(skin, bool)
    usual = pixels[normal].mean(axis=0) if normal.any() else pixels.mean(axis=0)
    if not (usual > 0).all():
        raise InputError("the mean spectrum of normal skin is not above 0 in every band", where="spectra")
    gain = usual / (skin_reflectance(np.asarray(wavelengths_nm, np.float64), *REFERENCE_SKIN) + SURFACE_REFLECTANCE)
    inversion = SkinInversion(wavelengths_nm, rgb_weights, gain=gain)
    found = inversion.spectra(inversion.parameters(inversion.colours(pixels)))
    return gain * pixels.mean(axis=0) / found.mean(axis=0)
