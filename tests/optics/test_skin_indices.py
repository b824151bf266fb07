"""Melanin and blood maps: against a general least squares, on phantoms whose truth is known, and under gains."""

import doctest
import importlib
import warnings

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.stats import spearmanr

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.lazy_array import LazyArray
from napari_hsisynth.optics import (
    PRESETS,
    SURFACE_REFLECTANCE,
    WAVELENGTHS_NM,
    absorbers,
    lesion_phantom,
    mua_blood_per_cm,
    mua_melanosome_per_cm,
    scaled_to,
    skin_indices,
    skin_reflectance,
)
from napari_hsisynth.optics.sensor import REFERENCE_SKIN, hsidermoscopy_gain

#: The module, whose name the function of the same name hides.
FIT = importlib.import_module("napari_hsisynth.optics.skin_indices")


def seen(melanin, blood, nm=WAVELENGTHS_NM, thickness=0.006, saturation=0.65, scattering=1.0):
    """A cube of one row: what a camera with gain 1 sees of such skin."""
    reflectance = skin_reflectance(nm, melanin, thickness, blood, saturation, scattering) + SURFACE_REFLECTANCE
    return Cube(reflectance.reshape(len(nm), 1, -1), nm)


@pytest.fixture(scope="module", params=["melanoma", "dysplastic_nevus", "nevus"])
def phantom(request):
    return lesion_phantom(request.param, (96, 144), seed=1)


@pytest.mark.parametrize("module", ["overlays", "skin_indices"])
def test_examples_in_the_docs_are_true(module):
    assert not doctest.testmod(importlib.import_module(f"napari_hsisynth.optics.{module}")).failed


# --- the fit


def test_skin_of_the_model_is_found_again_over_the_whole_range():
    melanin, blood = np.meshgrid(np.geomspace(0.003, 0.4, 12), np.geomspace(0.0005, 0.06, 10))
    melanin, blood = melanin.ravel(), blood.ravel()
    found = skin_indices(seen(melanin, blood))
    assert np.abs(found.melanin_fraction[0] / melanin - 1).max() < 0.01
    light = melanin < 0.2  # blood under more pigment than that is hardly seen, even without noise
    assert np.abs(found.blood_fraction[0] - blood)[light].max() < 0.03 * 0.06
    assert np.abs(found.blood_fraction[0] / blood - 1)[light].max() < 0.03
    assert found.residual.max() < 0.01


def test_the_fit_is_the_least_squares_solution_of_noisy_spectra():
    rng = np.random.default_rng(3)
    # above .17 the model has a kink, its scattering held above 0, which the table rounds off
    melanin, blood = rng.uniform(0.01, 0.15, 25), rng.uniform(0.001, 0.02, 25)
    clean = seen(melanin, blood).data.astype(np.float64)
    noisy = clean * np.exp(rng.normal(0, 0.02, clean.shape)) * np.exp(rng.normal(0, 0.05, 25))
    found = skin_indices(Cube(noisy, WAVELENGTHS_NM))
    weights = FIT._weights(WAVELENGTHS_NM)

    def misfit(values, logs):
        return weights @ (np.log(seen(*values).data[:, 0, 0].astype(np.float64)) - logs)

    for number, logs in enumerate(np.log(noisy[:, 0].T)):
        starts = [(0.05, 0.005), (0.15, 0.01), (0.15, 0.003)]
        best = min(
            (
                least_squares(misfit, start, args=(logs,), bounds=(0, (0.5, 0.1)), x_scale=(0.1, 0.01), diff_step=1e-4)
                for start in starts
            ),
            key=lambda one: one.cost,
        )
        mine = (float(found.melanin_fraction[0, number]), float(found.blood_fraction[0, number]))
        assert 0.5 * (misfit(mine, logs) ** 2).sum() < best.cost + 0.3, (number, mine, best.x)
        assert mine[0] == pytest.approx(best.x[0], rel=0.02)
        assert mine[1] == pytest.approx(best.x[1], rel=0.1, abs=2e-4)


def test_what_is_not_fitted_moves_the_indices_by_what_the_docs_say():
    melanin, blood = np.array([0.03, 0.08]), np.array([0.006, 0.006])

    def off(**changed):
        found = skin_indices(seen(melanin, blood, **changed))
        return np.abs(found.melanin_fraction[0] / melanin - 1).max(), np.abs(found.blood_fraction[0] / blood - 1).max()

    assert max(off()) < 1e-3
    for scattering in (0.9, 1.1):
        melanin_off, blood_off = off(scattering=scattering)
        assert melanin_off < 0.06
        assert blood_off < 0.12
    for saturation in (0.58, 0.72):
        assert max(off(saturation=saturation)) < 0.015


def test_weights_bring_the_blood_of_phantoms_closer_to_the_truth(monkeypatch):
    phantoms = [lesion_phantom("melanoma", (48, 64), seed) for seed in range(4)]

    def mean_rank():
        FIT._table.cache_clear()
        ranks = []
        for phantom in phantoms:
            blood = skin_indices(phantom.cube, mask=phantom.mask).blood_fraction[phantom.mask]
            ranks.append(spearmanr(blood, phantom.maps["blood_fraction"][phantom.mask]).statistic)
        return np.mean(ranks)

    weighted = mean_rank()
    for name in ("_SATURATION_SPREAD", "_SCATTERING_SPREAD", "_BRIGHTNESS_SPREAD"):
        monkeypatch.setattr(FIT, name, 0.0)
    plain = mean_rank()
    FIT._table.cache_clear()
    assert weighted > plain + 0.05


def test_pigment_counts_per_area():
    thick = skin_indices(seen(0.05, 0.004, thickness=0.0075))
    assert thick.melanin_fraction[0, 0] == pytest.approx(0.05 * 0.0075 / 0.006, rel=0.08)


def test_typical_tissues_stand_in_the_right_order():
    names = ["light_skin", "tan_skin", "dysplastic_nevus", "melanoma"]
    spectra = np.stack([skin_reflectance(WAVELENGTHS_NM, *PRESETS[name]) for name in names], axis=-1)
    found = skin_indices(Cube((spectra + SURFACE_REFLECTANCE)[:, None], WAVELENGTHS_NM))
    assert np.all(np.diff(found.melanin_fraction[0]) > 0)
    assert found.blood_fraction[0, 2] > 1.3 * found.blood_fraction[0, :2].max()


def test_phantoms_give_back_their_pigment_and_their_blood(phantom):
    found = skin_indices(phantom.cube)
    truth, inside = phantom.maps, phantom.mask
    pigment = truth["melanin_fraction"] * truth["thickness_cm"] / 0.006  # what light sees, see above
    melanin = found.melanin_fraction
    assert spearmanr(melanin[inside], truth["melanin_fraction"][inside]).statistic > 0.97
    assert np.median(np.abs(melanin / pigment - 1)[inside]) < 0.15
    assert np.median(np.abs(melanin / pigment - 1)[~inside]) < 0.05
    blood = found.blood_fraction
    assert np.median(np.abs(blood / truth["blood_fraction"] - 1)[~inside]) < 0.08
    assert spearmanr(blood[~inside], truth["blood_fraction"][~inside]).statistic > 0.97
    assert spearmanr(blood.ravel(), truth["blood_fraction"].ravel()).statistic > 0.9
    assert np.median(found.residual) < 0.02


def test_blood_in_the_lesion_rises_with_the_truth_where_pigment_lets_light_through():
    """Median melanin below .12; vessels under globules are hardly seen, which the docstring says."""
    ranks = []
    for kind in ("melanoma", "dysplastic_nevus", "nevus"):
        for seed in range(3):
            phantom = lesion_phantom(kind, (48, 64), seed)
            if np.median(phantom.maps["melanin_fraction"][phantom.mask]) < 0.12:
                blood = skin_indices(phantom.cube, mask=phantom.mask).blood_fraction
                ranks.append(spearmanr(blood[phantom.mask], phantom.maps["blood_fraction"][phantom.mask]).statistic)
    assert len(ranks) >= 5
    assert np.median(ranks) > 0.85
    assert min(ranks) > 0.4


# --- gains


def test_reference_takes_any_gain_per_band_away(phantom):
    skin = skin_reflectance(WAVELENGTHS_NM, *REFERENCE_SKIN) + SURFACE_REFLECTANCE
    expected = skin_indices(phantom.cube)
    same = skin_indices(phantom.cube, reference=skin)
    gain = hsidermoscopy_gain() * np.random.default_rng(0).uniform(0.5, 200, 16)
    counts = phantom.cube.replace(data=phantom.cube.data * gain[:, None, None])
    found = skin_indices(counts, reference=skin * gain)
    for name in ("melanin_fraction", "blood_fraction", "residual"):
        np.testing.assert_allclose(getattr(same, name), getattr(expected, name), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-3, atol=1e-4)


def test_skin_around_the_lesion_as_reference_gives_maps_relative_to_it():
    phantom = lesion_phantom("nevus", (96, 144), seed=5, sensor="hsidermoscopy")
    outside = ~phantom.mask
    reference = np.median(phantom.cube.data[:, outside], axis=1)
    found = skin_indices(phantom.cube, reference=reference)
    assert np.median(found.melanin_fraction[outside]) == pytest.approx(REFERENCE_SKIN.melanin_fraction, rel=0.1)
    assert np.median(found.blood_fraction[outside]) == pytest.approx(REFERENCE_SKIN.blood_fraction, rel=0.1)
    assert np.nanmedian(found.melanin_fraction[phantom.mask]) > 1.5 * REFERENCE_SKIN.melanin_fraction


# --- what is not skin


def test_pixels_without_a_logarithm_are_nan_and_say_nothing():
    cube = seen(np.full(5, 0.03), np.full(5, 0.004))
    data = cube.data.copy()
    data[3, 0, 0], data[0, 0, 1], data[15, 0, 2], data[7, 0, 3] = 0, -0.1, np.nan, np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = skin_indices(cube.replace(data=data))
    for values in (found.melanin_fraction, found.blood_fraction, found.residual):
        assert values.dtype == np.float32
        assert np.isfinite(values[0]).tolist() == [False] * 4 + [True]


def test_what_is_no_skin_stays_within_bounds_and_shows_in_the_residual():
    rng = np.random.default_rng(0)
    data = np.concatenate(
        [rng.uniform(0.01, 3, (16, 1, 300)), np.full((16, 1, 1), 1e-6), np.full((16, 1, 1), 1e6)], axis=2
    )
    found = skin_indices(Cube(data, WAVELENGTHS_NM))
    assert found.melanin_fraction.min() >= 0
    assert found.melanin_fraction.max() <= FIT.MOST_MELANIN * 1.0001
    assert found.blood_fraction.min() >= 0
    assert found.blood_fraction.max() <= FIT.MOST_BLOOD * 1.0001
    assert np.median(found.residual) > 0.3


def test_mask_blocks_and_files_change_nothing(phantom, monkeypatch):
    expected = skin_indices(phantom.cube)
    monkeypatch.setattr(FIT, "_CHUNK", 100)
    monkeypatch.setattr(FIT, "_READ_VALUES", 16 * 144 * 5)
    lazy = phantom.cube.replace(data=LazyArray(np.ascontiguousarray(phantom.cube.data.transpose(1, 2, 0)), (2, 0, 1)))
    found = skin_indices(lazy, mask=phantom.mask)
    for name in ("melanin_fraction", "blood_fraction", "residual"):
        values = getattr(found, name)
        np.testing.assert_array_equal(np.isnan(values), ~phantom.mask)
        np.testing.assert_allclose(values[phantom.mask], getattr(expected, name)[phantom.mask], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("bands", [4, 7, 60])
def test_other_cameras_do_as_well(bands):
    nm = np.random.default_rng(1).permutation(np.linspace(450, 700, bands))
    found = skin_indices(seen([0.02, 0.08], [0.003, 0.008], nm=nm))
    np.testing.assert_allclose(found.melanin_fraction[0], [0.02, 0.08], rtol=0.02)
    np.testing.assert_allclose(found.blood_fraction[0], [0.003, 0.008], rtol=0.05)


@pytest.mark.parametrize(
    ("cube", "given", "message"),
    [
        (Cube(np.ones((3, 2, 2)), [500, 550, 600]), {}, "needs 4 bands or more, not 3"),
        (Cube(np.ones((4, 2, 2)), [500, 550, 600, 1200]), {}, "covers 250-1000 nm, the cube has 500-1200 nm"),
        (Cube(np.ones((5, 2, 2))), {}, "needs wavelengths"),
        (Cube(np.ones((4, 2, 2)), [500, 550, 600, 620]), {"reference": [1, 1, 1]}, "reference: 3 bands"),
        (Cube(np.ones((4, 2, 2)), [500, 550, 600, 620]), {"reference": [1, 0, 1, 1]}, "positive in every band"),
        (Cube(np.ones((4, 2, 2)), [500, 550, 600, 620]), {"mask": np.ones((3, 3))}, r"mask of \(3, 3\)"),
    ],
)
def test_cubes_that_cannot_be_fitted_are_refused(cube, given, message):
    with pytest.raises(InputError, match=message):
        skin_indices(cube, **given)


# --- curves to lay over spectra


def test_absorbers_are_those_of_the_model_and_nan_beyond_it():
    nm = np.array([200.0, 250, 542, 560, 1000, 1001])
    found = absorbers()
    assert list(found) == ["oxyhaemoglobin", "deoxyhaemoglobin", "melanin"]
    covered = slice(1, 5)
    expected = {
        "oxyhaemoglobin": mua_blood_per_cm(nm[covered], 1.0),
        "deoxyhaemoglobin": mua_blood_per_cm(nm[covered], 0.0),
        "melanin": mua_melanosome_per_cm(nm[covered]),
    }
    for name, absorber in found.items():
        values = absorber(nm)
        np.testing.assert_array_equal(values[covered], expected[name])
        assert np.isnan(values[[0, 5]]).all()
        assert absorber.name == name
        assert "http" in absorber.source
    assert found["oxyhaemoglobin"]([542.0])[0] > 1.5 * found["oxyhaemoglobin"]([560.0])[0]
    assert found["deoxyhaemoglobin"]([556.0])[0] > found["oxyhaemoglobin"]([556.0])[0]


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.9), (0.9, 0.1), (-3, -2), (1, 1)])
def test_scaled_curves_fill_the_view_and_keep_their_shape(low, high):
    curve = np.random.default_rng(0).normal(size=30)
    found = scaled_to(curve, low, high)
    assert found[curve.argmin()] == low
    assert found[curve.argmax()] == high
    if low != high:
        assert np.corrcoef(curve, found)[0, 1] == pytest.approx(np.sign(high - low))


def test_scaling_leaves_gaps_and_puts_what_is_constant_in_the_middle():
    np.testing.assert_array_equal(scaled_to([np.nan, 1, 3, np.inf], 0, 1), [np.nan, 0, 1, np.nan])
    np.testing.assert_array_equal(scaled_to([2, 2, np.nan], 0, 1), [0.5, 0.5, np.nan])
    assert np.isnan(scaled_to([np.nan, np.nan], 0, 1)).all()
    with pytest.raises(InputError, match="has no size"):
        scaled_to([1, 2], 0, np.inf)
