"""The 16-band camera of ``sensor="hsidermoscopy"``: gains, lamp, mosaic, saturation and noise."""

import numpy as np
import pytest

from napari_hsisynth.optics import SENSORS, SURFACE_REFLECTANCE, lesion_phantom, phantom_series
from napari_hsisynth.optics.draws import Draws
from napari_hsisynth.optics.lesions import KINDS
from napari_hsisynth.optics.reflectance import skin_reflectance
from napari_hsisynth.optics.sensor import REFERENCE_SKIN, WAVELENGTHS_NM, _seen_from, hsidermoscopy_gain, record
from napari_hsisynth.optics.tables import table

IDEAL, CAMERA = SENSORS
MOST = table("hsidermoscopy")["max"]


def flat(value, shape=(64, 96)):
    return np.full((16, *shape), value, np.float32)


def test_ideal_bands_return_the_reflectance_itself():
    scene = flat(0.3)
    assert record(scene, IDEAL, Draws(0)) is scene


def test_gain_per_band_is_that_of_the_real_data():
    skin = (skin_reflectance(WAVELENGTHS_NM, *REFERENCE_SKIN) + SURFACE_REFLECTANCE).astype(np.float32)
    scene = np.broadcast_to(skin[:, None, None], (16, 32, 48))
    means = np.array([record(scene, CAMERA, Draws("gain", seed)).mean(axis=(1, 2)) for seed in range(120)])
    published = table("hsidermoscopy")["skin_mean"]
    np.testing.assert_allclose(means.mean(0), published, rtol=0.06)  # exposures vary by 23 %: 2 % of 120
    colour = means / means.mean(1, keepdims=True)
    np.testing.assert_allclose(colour.mean(0), published / published.mean(), rtol=0.01)
    assert hsidermoscopy_gain()[10] > 2 * hsidermoscopy_gain()[9]  # the step at 575 nm


def test_lamp_darkens_towards_the_corners_of_every_cube():
    losses = []
    for seed in range(30):
        seen = record(flat(0.3), CAMERA, Draws("lamp", seed)).mean(axis=0)
        middle = seen[28:36, 44:52].mean()
        corners = [seen[y, x].mean() for y in (slice(6), slice(-6, None)) for x in (slice(6), slice(-6, None))]
        losses.append(1 - np.mean(corners) / middle)
    assert min(losses) > 0.05
    assert 0.15 < np.mean(losses) < 0.35
    assert max(losses) < 0.5


def test_a_pixel_that_is_too_bright_reads_the_published_maximum_of_its_band():
    seen = record(flat(5.0), CAMERA, Draws(1))
    np.testing.assert_allclose(seen.mean(axis=(1, 2)), MOST, atol=0.005)
    assert (seen.max(axis=(1, 2)) > MOST).all()  # the noise comes after, and nothing is clipped


def test_noise_is_that_of_reading_in_the_dark_and_grows_with_the_root_of_the_signal():
    dark = record(flat(0.0), CAMERA, Draws(2))
    read = dark.std(axis=(1, 2)).mean()
    assert read == pytest.approx(0.004, rel=0.03)
    assert dark.min() < 0
    bright = record(flat(0.4), CAMERA, Draws(2))
    detail = np.std(np.diff(bright, n=2, axis=1), axis=(1, 2)) / np.sqrt(6)  # the lamp is smooth
    shot = np.sqrt(detail**2 - read**2)
    level = bright.mean(axis=(1, 2))
    np.testing.assert_allclose(shot[10:], np.sqrt(2e-5 * level[10:]), rtol=0.12)
    assert np.corrcoef(bright[3].ravel() - bright[3].mean(), bright[4].ravel() - bright[4].mean())[0, 1] < 0.99


def test_noise_of_bands_and_pixels_is_independent():
    dark = record(flat(0.0), CAMERA, Draws(3)).reshape(16, -1)
    dark -= dark.mean(axis=1, keepdims=True)
    between = np.corrcoef(dark) - np.eye(16)
    assert np.abs(between).max() < 5 / np.sqrt(dark.shape[1])
    assert abs(np.corrcoef(dark[:, 1:].ravel(), dark[:, :-1].ravel())[0, 1]) < 5 / np.sqrt(dark.size)


def test_values_leave_zero_to_one_both_ways_and_ideal_ones_do_not():
    for kind in KINDS:
        real = [made.cube.data for _, made in phantom_series(25, (40, 56), 5, CAMERA, [kind])]
        assert np.mean([cube.max() > 1 for cube in real]) > 0.8
        assert max(cube.max() for cube in real) < MOST.max() + 0.1
        ideal = [made.cube.data for _, made in phantom_series(25, (40, 56), 5, IDEAL, [kind])]
        assert min(cube.min() for cube in ideal) >= SURFACE_REFLECTANCE
        assert max(cube.max() for cube in ideal) < 1
    assert min(cube.min() for cube in real) < 0


def test_ideal_skin_is_smooth_and_the_cameras_is_not():
    def detail(sensor):
        phantom = lesion_phantom("nevus", (128, 160), 1, sensor)
        row = phantom.cube.data[14, 0]
        return np.std(np.diff(row, n=2)) / row.mean()

    assert detail(IDEAL) < 0.25 * detail(CAMERA)


@pytest.mark.parametrize("shift", [(-0.375, 0.125), (0.375, -0.375)])
def test_a_band_is_shifted_by_its_place_in_the_mosaic(shift):
    y, x = np.mgrid[-1:22, -1:24].astype(np.float32)
    expected = 2 * (y + shift[0]) - 3 * (x + shift[1])
    np.testing.assert_allclose(_seen_from(2 * y - 3 * x, *shift), expected[1:-1, 1:-1], atol=1e-4)
    spot = np.zeros((11, 11), np.float32)
    spot[5, 5] = 1
    spread = _seen_from(spot, *shift)
    assert spread.sum() == pytest.approx(1)
    assert spread.min() >= 0
    assert (spread.sum(1) * (np.arange(9) - 4 + shift[0]) ** 2).sum() == pytest.approx(0.25, abs=1e-5)
