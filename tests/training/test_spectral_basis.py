"""A spectral basis holds what it was fitted to, and nothing that a generator makes lies outside of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="training needs the extra [train]")

from napari_hsisynth.errors import InputError  # noqa: E402
from napari_hsisynth.models.spectral_decoder import SpectralDecoder  # noqa: E402
from napari_hsisynth.training.config import parse  # noqa: E402
from napari_hsisynth.training.normalisation import Normalisation  # noqa: E402
from napari_hsisynth.training.spectral_basis import decoder_for, fit_basis, nmf  # noqa: E402

BANDS = 7


def mixtures(components, bands=BANDS, count=3000, seed=0):
    """Pixels (count, bands) mixed of known spectra (components, bands), and these, in values of a camera."""
    rng = np.random.default_rng(seed)
    spectra = rng.gamma(1.0, 0.3, (components, bands))
    weights = rng.dirichlet(np.full(components, 0.3), count) * rng.uniform(0.5, 1.5, (count, 1))
    return weights @ spectra, spectra


def fitted(pixels, components, *, non_negative):
    """A decoder, the normalisation, the normalised pixels and what was said, from values of a camera (n, bands)."""
    normalisation = Normalisation.fit(pixels.T[None, :, :, None])
    encoded = (pixels - normalisation.offset) / normalisation.scale
    decoder = SpectralDecoder(pixels.shape[1], components, non_negative=non_negative)
    notes = fit_basis([decoder], torch.from_numpy(encoded), normalisation)
    return decoder, normalisation, encoded, notes


@given(bands=st.integers(2, 40), data=st.data())
@settings(max_examples=25, deadline=None)
def test_pca_reproduces_pixels_of_its_dimension(bands, data):
    components = data.draw(st.integers(2, bands))
    pixels, _ = mixtures(components, bands, count=200, seed=data.draw(st.integers(0, 99)))
    decoder, _, encoded, notes = fitted(pixels, components, non_negative=False)
    assert not notes
    matrix, offset = decoder.matrix.double().numpy(), decoder.offset.double().numpy()
    maps = np.linalg.lstsq(matrix, (encoded - offset).T, rcond=1e-5)[0]
    made = decoder(torch.from_numpy(maps)[None, :, None].float())[0, :, 0].T
    np.testing.assert_allclose(made, encoded, atol=2e-4)


def test_standard_normal_abundances_give_the_moments_of_the_training_pixels():
    pixels, _ = mixtures(4)
    noise = torch.randn(1, 4, 200, 500, generator=torch.Generator().manual_seed(0))
    made = fitted(pixels, 4, non_negative=False)[0](noise)[0].flatten(1)
    expected = np.corrcoef(pixels.T)  # normalised pixels have mean 0 and variance 1
    np.testing.assert_allclose(made.mean(1), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(made), expected, atol=0.03)
    made = fitted(pixels, 4, non_negative=True)[0](noise)[0].flatten(1)
    np.testing.assert_allclose(made.mean(1), 0, atol=0.02)  # by construction
    assert 0.5 < made.std(1).min() < made.std(1).max() < 2.0  # weights on a simplex are far from normal


def test_nmf_finds_the_spectra_that_pixels_were_mixed_of():
    pixels, true = mixtures(3)
    abundances, spectra = nmf(pixels, 3)
    assert abundances.min() >= 0
    assert spectra.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(spectra, axis=1), 1)
    assert np.linalg.norm(pixels - abundances @ spectra) < 2e-3 * np.linalg.norm(pixels)
    cosines = spectra @ (true / np.linalg.norm(true, axis=1, keepdims=True)).T
    assert cosines.max(axis=0).min() > 0.999


@given(components=st.integers(2, 6), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_nmf_is_no_worse_than_its_beginning_and_has_no_chance_in_it(components, seed):
    rng = np.random.default_rng(seed)
    values = rng.gamma(0.5, 1.0, (150, 6))
    abundances, spectra = nmf(values, components)
    again = nmf(values, components)
    assert np.array_equal(abundances, again[0])
    assert np.array_equal(spectra, again[1])
    lengths = np.linalg.svd(values, compute_uv=False)
    error = np.square(values - abundances @ spectra).sum()
    assert error >= np.square(lengths[components:]).sum() - 1e-9  # nothing of this rank can be better
    pixels = np.square(values).sum()
    assert error < 0.7 * pixels


def test_whatever_a_network_makes_stays_in_the_basis():
    pixels, _ = mixtures(5)
    wild = 20 * torch.randn(1, 3, 30, 30, generator=torch.Generator().manual_seed(1))
    decoder, _, _, _ = fitted(pixels, 3, non_negative=False)
    made = decoder(wild)[0].flatten(1).double().numpy()
    outside = np.linalg.svd(decoder.matrix.double().numpy())[0][:, 3:]
    away = outside.T @ (made - decoder.offset.double().numpy()[:, None])
    assert np.abs(away).max() < 1e-4 * np.abs(made).max()

    decoder, normalisation, _, _ = fitted(pixels, 3, non_negative=True)
    made = normalisation.decode(decoder(wild)[0].numpy())
    assert made.min() > -1e-5  # no negative reflectance
    singular = np.linalg.svd(made.reshape(BANDS, -1), compute_uv=False)
    assert singular[3] < 1e-5 * singular[0]


def test_half_precision_does_not_leave_the_basis():
    decoder, _, _, _ = fitted(mixtures(3)[0], 3, non_negative=False)
    maps = torch.randn(2, 3, 4, 4).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        made = decoder(maps)
    assert made.dtype == torch.float32
    assert torch.equal(made, decoder(maps.float()))


def test_negative_values_and_a_basis_too_small_are_said():
    pixels, _ = mixtures(6)
    pixels[:30, 0] = -0.1
    notes = fitted(pixels, 2, non_negative=True)[3]
    assert len(notes) == 2
    assert notes[0].startswith("0.14 % of the training values are negative")
    assert "basis_components" in notes[1]


@pytest.mark.parametrize("non_negative", [False, True])
@pytest.mark.parametrize("pixels", [np.full((50, 4), 0.3), np.zeros((50, 4)), np.full((1, 4), 0.3)])
def test_pixels_that_are_all_alike_give_that_pixel(pixels, non_negative):
    decoder, normalisation, _, _ = fitted(pixels, 3, non_negative=non_negative)
    made = normalisation.decode(decoder(torch.zeros(1, 3, 2, 2)).numpy())[0]
    np.testing.assert_allclose(made, pixels[0][:, None, None] * np.ones((2, 2)), atol=0.05)


def test_a_basis_needs_enough_bands():
    config = parse({"spectral_basis": "pca", "basis_components": 6})
    assert decoder_for(config, 6).maps == 6
    with pytest.raises(InputError, match="use at most 5") as caught:
        decoder_for(config, 5)
    assert "\n" not in str(caught.value)
    assert decoder_for(parse({}), 5).maps == 5


def test_without_a_basis_images_pass_and_nothing_is_stored():
    decoder = SpectralDecoder(4)
    images = torch.randn(2, 4, 3, 3)
    assert torch.equal(decoder(images), images)
    assert not decoder.state_dict()
    assert fit_basis([decoder], torch.zeros(9, 4), Normalisation(np.zeros(4), np.ones(4))) == []
