"""The skin model inverted from colours: on its own spectra, against a general optimiser, and where there is no skin."""

import doctest
import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from napari_hsisynth.composite import cie1931_rgb_weights
from napari_hsisynth.errors import InputError
from napari_hsisynth.optics import WAVELENGTHS_NM, SkinInversion, camera_gain, lesion_phantom, skin_colours
from napari_hsisynth.optics.sensor import REFERENCE_SKIN, hsidermoscopy_gain
from napari_hsisynth.photographs import linear_light, srgb

WEIGHTS = cie1931_rgb_weights(WAVELENGTHS_NM)
INVERSION = SkinInversion(WAVELENGTHS_NM, WEIGHTS)


def image_of(colours):
    """One row of pixels from colours (n, 3)."""
    return np.asarray(colours, np.float32).T[:, None, :]


def skins(n, seed=0):
    """Melanin, blood and light about as far from the prior's middle as its spreads."""
    rng = np.random.default_rng(seed)
    return np.exp(skin_colours.MEAN + skin_colours.SPREAD * rng.uniform(-1, 1, (n, 3)))


def test_examples_in_the_docs_are_true():
    for name in ("napari_hsisynth.optics.inversion", "napari_hsisynth.photographs"):
        assert not doctest.testmod(importlib.import_module(name)).failed


# --- what comes back


@pytest.mark.parametrize("gain", [None, hsidermoscopy_gain()], ids=["reflectance", "camera"])
def test_skin_of_the_model_is_found_again(gain):
    weights = WEIGHTS if gain is None else WEIGHTS / gain.max()
    inversion = SkinInversion(WAVELENGTHS_NM, weights, gain=gain)
    parameters = skins(4000)
    spectra = inversion.spectra(parameters)
    colours = inversion.colours(spectra)
    kept = (colours < 0.99).all(axis=1)
    assert kept.sum() > 2000
    found = inversion.invert(image_of(colours[kept]))
    rendered = inversion.colours(found.values[:, 0].T)
    assert np.abs(rendered - colours[kept]).max() < 1e-3
    assert found.residual.max() < 1e-3
    melanin, blood, light = parameters[kept].T
    assert np.abs(found.melanin_fraction[0] / melanin - 1).max() < 0.05
    assert np.abs(found.light[0] / light - 1).max() < 0.02
    assert np.percentile(np.abs(found.blood_fraction[0] / blood - 1), 95) < 0.05
    assert np.sqrt(((found.values[:, 0].T - spectra[kept]) ** 2).mean()) < 1e-3
    assert not found.counts()


def test_it_is_the_minimum_that_a_general_optimiser_finds():
    """On colours with noise, which the model does not meet exactly."""
    rng = np.random.default_rng(1)
    colours = INVERSION.colours(INVERSION.spectra(skins(5, seed=1))) + rng.normal(0, 0.01, (5, 3))
    colours = np.clip(colours, 0.02, 0.98)

    def misfit(logs, colour):
        seen = INVERSION.colours(INVERSION.spectra(np.exp(logs)[None]))[0]
        return np.concatenate([(seen - colour) / skin_colours.NOISE, (logs - skin_colours.MEAN) / skin_colours.SPREAD])

    mine = np.log(INVERSION.parameters(colours))
    for colour, logs in zip(colours, mine, strict=True):
        starts = [skin_colours.MEAN, np.log([0.02, 0.003, 0.8]), np.log([0.2, 0.01, 1.3])]
        bounds = (skin_colours.LOW, skin_colours.HIGH)
        best = min(
            (least_squares(misfit, start, args=(colour,), bounds=bounds) for start in starts), key=lambda b: b.cost
        )
        assert (misfit(logs, colour) ** 2).sum() / 2 < best.cost + 0.1


def test_more_melanin_is_darker_and_more_blood_is_less_green():
    melanin = np.geomspace(0.01, 0.3, 12)
    row = np.stack([melanin, np.full(12, 0.005), np.ones(12)], axis=1)
    found = INVERSION.invert(image_of(INVERSION.colours(INVERSION.spectra(row))))
    assert (np.diff(found.melanin_fraction[0]) > 0).all()
    assert (np.diff(found.reflectance()[:, 0], axis=1) < 0).all()
    row = np.stack([np.full(12, 0.03), np.geomspace(0.001, 0.03, 12), np.ones(12)], axis=1)
    found = INVERSION.invert(image_of(INVERSION.colours(INVERSION.spectra(row))))
    assert (np.diff(found.blood_fraction[0]) > 0).all()


def test_a_pixel_depends_on_its_own_colour_only():
    rng = np.random.default_rng(2)
    image = rng.random((3, 5, 7), dtype=np.float32)
    whole = INVERSION.invert(image)
    alone = INVERSION.invert(image[:, 2:3, 4:5])
    np.testing.assert_allclose(alone.values[:, 0, 0], whole.values[:, 2, 4], rtol=1e-5)
    again = INVERSION.invert(image)
    assert whole.values.tobytes() == again.values.tobytes()


def test_equal_colours_of_8_bits_are_what_they_are_alone():
    """They are worked out once; a hair's breadth beside steps of 8 bits, every pixel is worked out by itself."""
    rng = np.random.default_rng(4)
    image = rng.choice(np.array([40, 90, 200], np.uint8), (3, 9, 11)).astype(np.float32) / np.float32(255)
    once, apart = INVERSION.invert(image), INVERSION.invert(image * np.float32(1 + 3e-7))
    np.testing.assert_allclose(once.values, apart.values, rtol=1e-3)
    np.testing.assert_array_equal(once.problems, apart.problems)


def test_linear_light_is_decoded_srgb():
    image = np.random.default_rng(3).random((3, 4, 4), dtype=np.float32)
    encoded, linear = INVERSION.invert(image), INVERSION.invert(linear_light(image), linear=True)
    np.testing.assert_allclose(linear.values, encoded.values, rtol=2e-3, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.floats(0, 1, width=32) for _ in range(3)]))
def test_any_colour_gives_a_spectrum_of_skin(colour):
    found = INVERSION.invert(image_of([colour]))
    reflectance = found.reflectance()
    assert (reflectance > 0).all()
    assert (reflectance <= 1).all()
    assert (found.values > 0).all()
    assert 0.002 * 0.999 <= found.melanin_fraction[0, 0] <= 0.5 * 1.001
    assert 0.0003 * 0.999 <= found.blood_fraction[0, 0] <= 0.1 * 1.001
    # the darkest, the brightest and the middle of the prior are no better explanations
    tried = np.exp(np.stack([skin_colours.LOW, skin_colours.MEAN, skin_colours.HIGH]))
    misses = np.sqrt(((INVERSION.colours(INVERSION.spectra(tried)) - np.float32(colour)) ** 2).mean(axis=1))
    assert found.residual[0, 0] < misses.min() + 0.01


# --- pixels that are not fine


def test_bad_pixels_are_handled_and_counted():
    colours = INVERSION.colours(INVERSION.spectra(np.array([[0.03, 0.005, 1.0]] * 6)))
    colours[1] = np.nan, 0.5, 0.5
    colours[2] = 0
    colours[3, 0] = 1
    colours[4] = 0.1, 0.2, 0.9  # blue ink
    colours[5] = 1.4, 0.9, 0.8
    found = INVERSION.invert(image_of(colours))
    assert found.problems[0].tolist() == [0, 1, 2, 3, 4, 3]
    assert sorted(found.counts().values()) == [1, 1, 1, 2]
    assert np.isnan(found.values[:, 0, 1]).all()
    assert np.isnan(found.melanin_fraction[0, 1])
    assert np.isfinite(found.values[:, 0, [0, 2, 3, 4, 5]]).all()
    assert found.values[:, 0, 2].max() < 0.02


@pytest.mark.parametrize("rgb", [np.zeros((4, 4, 3)), np.zeros((3, 4)), np.zeros((3, 4, 4), np.uint8)])
def test_what_is_no_image_is_refused(rgb):
    with pytest.raises(InputError, match=r"floats of \(3, y, x\)"):
        INVERSION.invert(rgb)


def test_bad_wishes_are_refused():
    for wishes in ({"rgb_weights": WEIGHTS[:, :4]}, {"gain": np.zeros(16)}, {"gain": np.ones(3)}):
        with pytest.raises(InputError):
            SkinInversion(**{"wavelengths_nm": WAVELENGTHS_NM, "rgb_weights": WEIGHTS, **wishes})
    with pytest.raises(InputError, match="250-1000"):
        SkinInversion([1200.0], np.ones((3, 1)))


def test_progress_is_told_and_may_end_the_work():
    told = []
    INVERSION.invert(np.full((3, 4, 5), 0.5, np.float32), progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 20), (20, 20)]

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        INVERSION.invert(np.full((3, 4, 5), 0.5, np.float32), progress=stop)


# --- the camera


def test_gain_of_a_camera_is_found_from_its_pixels():
    """Of skin under uneven light that is on average the reference, the gain is the true one."""
    rng = np.random.default_rng(5)
    gain = hsidermoscopy_gain() / 2
    skin = np.exp(
        rng.normal(np.log([REFERENCE_SKIN.melanin_fraction, REFERENCE_SKIN.blood_fraction, 1.0]), 0.1, (1500, 3))
    )
    lesion = np.exp(rng.normal(np.log([0.12, 0.008, 1.0]), 0.2, (500, 3)))
    camera = SkinInversion(WAVELENGTHS_NM, WEIGHTS, gain=gain)
    spectra = camera.spectra(np.concatenate([skin, lesion]))
    found = camera_gain(WAVELENGTHS_NM, WEIGHTS, spectra, np.arange(2000) < 1500)
    np.testing.assert_allclose(found, gain, rtol=0.03)
    with pytest.raises(InputError, match="not above 0"):
        camera_gain(WAVELENGTHS_NM, WEIGHTS, -spectra, np.ones(2000, bool))


def test_phantoms_come_back_from_their_colours():
    """Against the trivial answer, the mean spectrum scaled to each pixel's brightness."""
    phantom = lesion_phantom("dysplastic_nevus", (48, 64), seed=2)
    cube = phantom.cube.data
    rgb = np.clip(srgb(np.tensordot(WEIGHTS, cube, 1)), 0, 1).astype(np.float32)
    found = INVERSION.invert(rgb)
    mean = cube.mean(axis=(1, 2))
    trivial = mean[:, None, None] * cube.mean(axis=0) / mean.mean()
    error, trivial_error = (np.sqrt(((made - cube) ** 2).mean()) for made in (found.values, trivial))
    assert error < 0.25 * trivial_error
    pigment = phantom.maps["melanin_fraction"] * phantom.maps["thickness_cm"] / REFERENCE_SKIN.thickness_cm
    assert np.corrcoef(found.melanin_fraction.ravel(), pigment.ravel())[0, 1] > 0.95
