"""Demosaicing: what holds exactly, and by how much it beats bilinear interpolation of each band."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from napari_hsisynth.cli import main
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import MosaicLayout, read_cube
from napari_hsisynth.formats.demosaic import bilinear, demosaic

PATTERNS = [(4, 4), (5, 5), (3, 2), (2, 2), (1, 3), (1, 1)]


def frame_of(cube, layout):
    """Let the sensor see one band per pixel."""
    frame = np.empty(cube.shape[1:], cube.dtype)
    for band, (row, col) in zip(cube, layout.positions, strict=True):
        frame[row :: layout.rows, col :: layout.cols] = band[row :: layout.rows, col :: layout.cols]
    return frame


def psnr(found, truth, border=0):
    """Mean over the bands of 10 log10(maximum squared / mean squared error), dB."""
    inside = (slice(None), *(slice(border, -border or None),) * 2)
    error = ((found[inside].astype(float) - truth[inside]) ** 2).mean(axis=(1, 2))
    return float(np.mean(10 * np.log10(truth.max(axis=(1, 2)).astype(float) ** 2 / error)))


def edges(shape, bands, seed=0):
    """Make discs and bars with sharp edges, whose spectra differ smoothly from place to place."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    picture = np.zeros(shape)
    for _ in range(30):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        radius, value = rng.uniform(4, 30), rng.uniform(0.2, 1)
        picture[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = value
    slopes = [gaussian_filter(rng.normal(size=shape), 20) for _ in range(3)]
    wave = np.linspace(0, np.pi, bands)
    slow = [0.5 * sum(np.cos(w * k) * slope for k, slope in enumerate(slopes)) for w in wave]
    bands = [(0.6 + 0.4 * np.sin(w)) * picture + rest + 0.2 for w, rest in zip(wave, slow, strict=True)]
    return np.stack(bands).astype(np.float32)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("value", [0, 1, 200, 65_535])
def test_a_constant_frame_stays_constant(pattern, value):
    layout = MosaicLayout.plain(*pattern)
    bands = demosaic(np.full((23, 31), value, np.uint16), layout)
    assert bands.shape == (pattern[0] * pattern[1], 23, 31)
    assert bands.dtype == np.float32
    np.testing.assert_allclose(bands, value, rtol=1e-6)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_bands_of_their_own_constant_value_stay_it(pattern):
    layout = MosaicLayout.plain(*pattern)
    values = np.arange(1, 1 + pattern[0] * pattern[1], dtype=np.float32)
    truth = np.broadcast_to(values[:, None, None], (len(values), 23, 31))
    np.testing.assert_allclose(demosaic(frame_of(truth, layout), layout), truth, rtol=1e-5)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_ramp_is_continued_through_every_band(pattern):
    layout = MosaicLayout.plain(*pattern)
    y, x = np.mgrid[:60, :70]
    ramp = (100 + 0.7 * y + 0.3 * x).astype(np.float32)
    truth = np.broadcast_to(ramp, (len(layout.positions), 60, 70))
    found = demosaic(frame_of(truth, layout), layout)
    inside = (slice(None), slice(15, -15), slice(15, -15))
    assert np.abs(found - truth)[inside].max() < 0.001 * np.ptp(ramp)
    assert np.abs(found - truth).max() < 0.05 * np.ptp(ramp)


@given(
    pattern=st.sampled_from(PATTERNS),
    size=st.tuples(st.integers(0, 17), st.integers(0, 17)),
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from([np.uint8, np.uint16, np.float32]),
)
def test_measured_pixels_stay_exactly_as_they_are(pattern, size, seed, kind):
    rng = np.random.default_rng(seed)
    layout = MosaicLayout(*pattern, tuple(map(tuple, rng.permutation([*np.ndindex(*pattern)]).tolist())))
    frame = rng.integers(0, 250, (pattern[0] + size[0], pattern[1] + size[1])).astype(kind)
    bands = demosaic(frame, layout)
    assert np.isfinite(bands).all()
    np.testing.assert_array_equal(frame_of(bands, layout), frame)


def test_the_order_of_the_layout_is_that_of_the_bands():
    truth = edges((48, 60), 6)
    plain = MosaicLayout.plain(2, 3)
    order = [3, 1, 5, 0, 2, 4]
    other = MosaicLayout(2, 3, tuple(plain.positions[n] for n in order))
    frame = frame_of(truth, plain)
    np.testing.assert_array_equal(demosaic(frame, other), demosaic(frame, plain)[order])


def test_mirrored_frames_give_mirrored_bands():
    layout = MosaicLayout.plain(4, 4)
    truth = edges((64, 64), 16)
    frame = frame_of(truth, layout)
    mirrored = MosaicLayout(4, 4, tuple((3 - row, 3 - col) for row, col in layout.positions))
    np.testing.assert_allclose(demosaic(frame[::-1, ::-1], mirrored)[:, ::-1, ::-1], demosaic(frame, layout), atol=1e-5)


@pytest.mark.parametrize("pattern", [(4, 4), (5, 5), (3, 2)])
@pytest.mark.parametrize("shape", [(160, 200), (157, 203)], ids=["whole", "cut"])
def test_edges_are_sharper_than_by_bilinear_interpolation(pattern, shape):
    layout = MosaicLayout.plain(*pattern)
    truth = edges(shape, pattern[0] * pattern[1])
    frame = frame_of(truth, layout)
    gain = psnr(demosaic(frame, layout), truth) - psnr(bilinear(frame, layout), truth)
    assert gain > 5  # dB


def test_noise_is_not_taken_for_detail():
    layout = MosaicLayout.plain(4, 4)
    truth = np.stack([gaussian_filter(edges((160, 200), 16)[band], 6) for band in range(16)])
    frame = frame_of(truth + np.random.default_rng(0).normal(0, 0.02, truth.shape).astype(np.float32), layout)
    assert psnr(demosaic(frame, layout), truth) > psnr(bilinear(frame, layout), truth)


def test_phantoms_of_lesions_come_out_better_than_by_bilinear_interpolation():
    from napari_hsisynth.optics import lesion_phantom

    layout = MosaicLayout.plain(4, 4)
    truth = np.asarray(lesion_phantom("melanoma", shape=(256, 512), seed=3, sensor="ideal").cube.data)
    frame = frame_of(truth, layout)
    assert psnr(demosaic(frame, layout), truth) > psnr(bilinear(frame, layout), truth) + 3  # dB


@pytest.mark.skipif("HSISYNTH_TEST_DATA" not in os.environ, reason="HSISYNTH_TEST_DATA is not set")
def test_real_scenes_come_out_better_than_by_bilinear_interpolation():
    layout = MosaicLayout.plain(4, 4)
    for path in sorted((Path(os.environ["HSISYNTH_TEST_DATA"]) / "mosaic16").glob("*.tif")):
        truth = layout.unfold(tifffile.imread(path)).astype(np.float32)  # all bands of a smaller scene
        frame = frame_of(truth, layout)
        assert psnr(demosaic(frame, layout), truth) > psnr(bilinear(frame, layout), truth) + 2, path.name  # dB


def test_a_pixel_that_is_not_finite_spoils_its_surroundings_only():
    frame = frame_of(edges((80, 80), 16), MosaicLayout.plain(4, 4))
    frame[40, 40] = np.nan
    bands = demosaic(frame, MosaicLayout.plain(4, 4))
    y, x = np.nonzero(~np.isfinite(bands).all(axis=0))
    assert np.isnan(bands[0, 40, 40])
    assert max(np.abs(y - 40).max(), np.abs(x - 40).max()) < 20


def test_demosaicing_puts_the_bands_where_they_were_seen():
    """A ramp along x, seen through bands of one sensitivity: unfolded bands are shifted, demosaiced ones are not."""
    layout = MosaicLayout.plain(4, 4)
    ramp = np.broadcast_to(np.arange(200, dtype=np.float32), (200, 200))
    unfolded = layout.unfold(ramp)
    assert np.ptp(unfolded[:, 20, 20]) == 3
    assert np.ptp(demosaic(ramp, layout)[:, 80:120, 80:120], axis=0).max() < 1.5


@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (8, 8, 3), (0, 9)])
def test_frames_smaller_than_a_pattern_are_refused(shape):
    for function in (demosaic, bilinear):
        with pytest.raises(InputError, match="does not hold one 4x4 pattern"):
            function(np.zeros(shape), MosaicLayout.plain(4, 4))


# --- reading frames


def test_a_frame_is_read_at_full_size_with_its_method_and_layout(tmp_path):
    truth = (edges((42, 63), 16) * 100).astype(np.uint8)
    tifffile.imwrite(tmp_path / "f.tif", frame_of(truth, MosaicLayout.plain(4, 4)))
    cube = read_cube(tmp_path / "f.tif", mosaic="4x4", demosaic=True)
    assert cube.data.shape == (16, 42, 63)  # no whole number of patterns
    assert cube.provenance["demosaiced"] is True
    assert "Mihoubi" in cube.provenance["demosaic_method"]
    assert any("one in 16 values was measured" in note for note in cube.notes)
    assert cube.axis_label == "band"
    table = "\n".join(f"{n},{600 - 5 * n},{n // 4},{n % 4}" for n in range(16))
    (tmp_path / "l.csv").write_text(f"band,centre_nm,mosaic_row,mosaic_col\n{table}\n")
    sorted_cube = read_cube(tmp_path / "f.tif", mosaic=tmp_path / "l.csv", demosaic=True)
    assert sorted_cube.wavelengths_nm.tolist() == [525 + 5 * n for n in range(16)]
    np.testing.assert_array_equal(sorted_cube.data, cube.data[::-1])


def test_a_five_by_five_mosaic(tmp_path):
    truth = edges((50, 75), 25)
    tifffile.imwrite(tmp_path / "f.tif", frame_of(truth, MosaicLayout.plain(5, 5)))
    expected = [truth[band, band // 5 :: 5, band % 5 :: 5] for band in range(25)]
    np.testing.assert_array_equal(read_cube(tmp_path / "f.tif", mosaic="5x5").data, expected)
    assert read_cube(tmp_path / "f.tif", mosaic="5x5", demosaic=True).data.shape == (25, 50, 75)


def test_convert_demosaics_on_the_command_line(tmp_path, capsys):
    tifffile.imwrite(tmp_path / "f.tif", frame_of(edges((24, 32), 16), MosaicLayout.plain(4, 4)))
    words = ["convert", str(tmp_path / "f.tif"), str(tmp_path / "a.ome.tif"), "--mosaic", "4x4", "--demosaic"]
    assert main(words) == 0
    assert "demosaiced" in capsys.readouterr().err
    back = read_cube(tmp_path / "a.ome.tif")
    assert back.data.shape == (16, 24, 32)
    assert back.provenance["demosaiced"] is True
    assert main(["convert", str(tmp_path / "f.tif"), str(tmp_path / "b.npz"), "--demosaic"]) == 2
