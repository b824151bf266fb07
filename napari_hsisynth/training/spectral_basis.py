"""The basis of a `SpectralDecoder`, fitted to the spectra of training pixels by PCA or by NMF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_hsisynth.models.spectral_decoder import SpectralDecoder
from napari_hsisynth.training.config import ModelConfig, check_bands
from napari_hsisynth.training.normalisation import Normalisation

#: Pixels that NMF is fitted to, its rounds at most, and the relative gain over ten of them at which it is done.
_NMF_PIXELS, _NMF_ROUNDS, _NMF_GAIN = 10_000, 400, 1e-4
#: An abundance below this part of its mean counts as this part: softplus reaches zero only far out.
_LEAST_ABUNDANCE = 0.02
#: A basis that holds less of the variance of the training spectra is said to be too small.
_ENOUGH = 0.9


def decoder_for(config: ModelConfig, bands: int) -> SpectralDecoder:
    """Return the spectral decoder that a configuration asks for, not yet fitted.

    Raises
    ------
    InputError
        If it has more components than there are bands.
    """
    if config.spectral_basis == "none":
        return SpectralDecoder(bands)
    check_bands(config, bands)
    return SpectralDecoder(bands, config.basis_components, non_negative=config.spectral_basis == "nmf")


@torch.no_grad()
def fit_basis(decoders: Sequence[SpectralDecoder], spectra: Tensor, normalisation: Normalisation) -> list[str]:
    """Fit the basis once and put it into every one of `decoders` (a network's and its average's).

    Parameters
    ----------
    decoders : sequence of SpectralDecoder
        Alike; nothing is done if they have no basis.
    spectra : Tensor, shape (n, bands)
        Normalised pixels of the training split.
    normalisation : Normalisation
        Leads back to the camera's values, in which NMF asks for non-negative ones.

    Returns
    -------
    list of str
        What the user should know of it, one sentence each.
    """
    first = decoders[0]
    if not first.fixed:
        return []
    pixels = spectra.detach().cpu().numpy().astype(np.float64)
    notes: list[str] = []
    if first.non_negative:
        basis, held, negative = _fit_nmf(pixels, first.maps, normalisation)
        if negative:
            notes.append(
                f"{100 * negative:.2g} % of the training values are negative and were taken as 0 to fit the NMF basis"
            )
    else:
        basis, held = _fit_pca(pixels, first.maps)
    if held < _ENOUGH:
        notes.append(
            f"{first.maps} components hold {100 * held:.0f} % of the variance of the training spectra: "
            "more basis_components would hold more"
        )
    for decoder in decoders:
        for name, values in basis.items():
            getattr(decoder, name).copy_(torch.from_numpy(values))
    return notes


def _fit_pca(pixels: NDArray[np.float64], components: int) -> tuple[dict[str, Any], float]:
    """Principal axes, each as long as the standard deviation along it; and the part of the variance they hold."""
    offset = pixels.mean(axis=0)
    _, lengths, axes = np.linalg.svd(pixels - offset, full_matrices=False)
    # the sign of an axis is a matter of the library: make most of its entries positive
    signs = np.where(axes.sum(axis=1) < 0, -1.0, 1.0)
    deviations = lengths[:components] / np.sqrt(len(pixels))
    matrix = np.zeros((pixels.shape[1], components))  # fewer pixels than components leave empty columns
    matrix[:, : len(deviations)] = (axes[:components] * signs[:components, None]).T * deviations
    power = np.square(lengths)
    return {"matrix": matrix, "offset": offset}, float(power[:components].sum() / max(power.sum(), 1e-300))


def _fit_nmf(
    pixels: NDArray[np.float64], components: int, normalisation: Normalisation
) -> tuple[dict[str, Any], float, float]:
    """Non-negative spectra in units of each band's contrast, for abundances from a softplus of standard normal numbers.

    Dividing a band by its scale keeps what is non-negative, and makes the fit weigh bands as everything else here does.

    Returns
    -------
    basis, held, negative : dict, float, float
        The part of the variance it holds, and the part of the values that had to be clipped.
    """
    black = -normalisation.offset / normalisation.scale  # a value of 0, as the network sees it
    light = pixels - black
    negative = float(np.mean(light < 0))
    light = np.maximum(light, 0)[:_NMF_PIXELS]
    abundances, spectra = nmf(light, components)
    residual = np.square(light - abundances @ spectra).sum()
    held = 1 - residual / max(np.square(light - light.mean(axis=0)).sum(), 1e-300)

    means = abundances.mean(axis=0)
    relative = abundances / np.where(means > 0, means, 1.0)
    before_softplus = np.log(np.expm1(np.maximum(relative, _LEAST_ABUNDANCE)))
    low, shift, high = np.quantile(before_softplus, [0.1587, 0.5, 0.8413], axis=0)  # one standard deviation about
    spread = np.clip((high - low) / 2, 0.1, 3.0)
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    expected = np.logaddexp(0, shift + spread * nodes[:, None]).T @ weights / weights.sum()
    matrix = spectra.T * (means / expected)  # the mean abundance is that of the training pixels exactly
    return {"matrix": matrix, "offset": black, "shift": shift, "spread": spread}, float(held), negative


def nmf(values: NDArray[np.float64], components: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factor non-negative `values` into abundances and spectra, both non-negative, of least squared error.

    By hierarchical alternating least squares (Cichocki and Phan 2009, doi:10.1587/transfun.E92.A.708), which solves for
    one component at a time in closed form and never raises the error. It begins with the pixels that are hardest to
    mix from each other (successive projection), so the result has no chance in it.

    Parameters
    ----------
    values : ndarray, shape (n, bands)
        Not negative.
    components : int
        At most as many as bands.

    Returns
    -------
    abundances : ndarray, shape (n, components)
    spectra : ndarray, shape (components, bands)
        Each of unit length, but for an empty one.
    """
    left = values.copy()
    spectra = np.empty((components, values.shape[1]))
    for number in range(components):
        chosen = int(np.square(left).sum(axis=1).argmax())
        spectra[number] = values[chosen]
        direction = left[chosen] / max(float(np.linalg.norm(left[chosen])), 1e-300)
        left -= np.outer(left @ direction, direction)
    abundances = np.maximum(values @ np.linalg.pinv(spectra), 0)
    spectra = np.maximum(spectra, 1e-6 * max(float(values.max()), 1e-300))  # an exact zero could never leave it

    before = np.inf
    for number in range(_NMF_ROUNDS):
        _improve(abundances, values @ spectra.T, spectra @ spectra.T)
        _improve(spectra.T, values.T @ abundances, abundances.T @ abundances)
        if number % 10 == 9:
            error = float(np.square(values - abundances @ spectra).sum())
            if before - error <= _NMF_GAIN * error:
                break
            before = error
    lengths = np.linalg.norm(spectra, axis=1)
    return abundances * lengths, spectra / np.where(lengths > 0, lengths, 1.0)[:, None]


def _improve(factor: NDArray[np.float64], product: NDArray[np.float64], gram: NDArray[np.float64]) -> None:
    """Set each column of `factor` to its best non-negative value given the others, in place."""
    for number in range(factor.shape[1]):
        if gram[number, number] > 0:
            change = (product[:, number] - factor @ gram[:, number]) / gram[number, number]
            factor[:, number] = np.maximum(factor[:, number] + change, 0)
