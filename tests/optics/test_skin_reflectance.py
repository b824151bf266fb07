"""The skin model against closed forms, published figures and measured cheeks."""

import doctest
import importlib
import math
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from napari_hsisynth.errors import InputError
from napari_hsisynth.optics import (
    PRESETS,
    half_space_reflectance,
    mua_base_per_cm,
    mua_blood_per_cm,
    mua_melanosome_per_cm,
    musp_per_cm,
    skin_reflectance,
    slab,
)
from napari_hsisynth.optics.tables import table

CHECK_NM = (465, 498, 531, 564, 597, 630)
# worked out elsewhere from the same formulas, to two decimals
CHECK_VALUES = {
    "light_skin": (0.32, 0.37, 0.36, 0.38, 0.47, 0.52),
    "tan_skin": (0.17, 0.22, 0.24, 0.27, 0.35, 0.41),
    "dysplastic_nevus": (0.05, 0.07, 0.09, 0.12, 0.17, 0.23),
    "melanoma": (0.00, 0.01, 0.02, 0.03, 0.05, 0.08),
    "regression": (0.27, 0.31, 0.28, 0.29, 0.39, 0.48),
}
positive = st.floats(0.01, 300)
lengths = st.floats(0, 0.2)

TEST_DATA = os.environ.get("HSISYNTH_TEST_DATA")
needs_data = pytest.mark.skipif(not TEST_DATA, reason="HSISYNTH_TEST_DATA does not name the shared data folder")


@pytest.mark.parametrize("name", CHECK_VALUES)
def test_presets_give_the_published_check_values(name):
    assert skin_reflectance(CHECK_NM, *PRESETS[name]).round(2).tolist() == list(CHECK_VALUES[name])


def test_light_skin_dips_where_oxyhaemoglobin_absorbs():
    at_542, at_560, at_575 = skin_reflectance([542, 560, 575], *PRESETS["light_skin"])
    assert at_542 < at_560 - 0.005
    assert at_575 < at_560 - 0.005


def test_strong_melanin_hides_the_dips():
    at_542, at_560, at_575 = skin_reflectance([542, 560, 575], *PRESETS["melanoma"])
    assert at_542 < at_560 < at_575


# --- half-space


@settings(deadline=None)
@given(positive)
def test_half_space_without_absorption_returns_everything(musp):
    assert half_space_reflectance(0.0, musp) == 1


@settings(deadline=None)
@given(positive, positive, st.floats(1.01, 100))
def test_half_space_depends_on_the_ratio_alone_and_falls_with_absorption(mua, musp, factor):
    here = half_space_reflectance(mua, musp)
    assert half_space_reflectance(mua * factor, musp * factor) == pytest.approx(here, rel=1e-9)
    assert half_space_reflectance(mua * factor, musp) < here


def test_half_space_under_weak_absorption_follows_the_square_root_law():
    # 1 - R -> (1 + 2A/3) sqrt(3 mua/mus'); Haskell et al. 1994 integrate Fresnel's equations to an effective
    # reflection of .493 at n = 1.4, A = 2.95; the polynomial used here is known to be some 10 % higher
    mua, musp = 1e-8, 1.0
    slope = (1 - half_space_reflectance(mua, musp)) / math.sqrt(3 * mua / musp)
    assert slope == pytest.approx(1 + 2 * 2.95 / 3, rel=0.08)


# --- slab


@settings(deadline=None)
@given(positive, lengths)
def test_clear_slab_has_the_closed_form(musp, thickness):
    path = 0.75 * musp * thickness if 0.75 * musp > 0.1 else 0.1 * thickness
    reflectance, transmittance = slab(0.0, musp, thickness)
    assert reflectance == pytest.approx(path / (1 + path), abs=1e-8)
    assert transmittance == pytest.approx(1 / (1 + path), abs=1e-8)


@settings(deadline=None)
@given(st.floats(0.01, 60), st.floats(30, 300))
def test_endless_slab_has_the_closed_form(mua, musp):
    ratio = 2 * mua / (0.75 * musp - 0.25 * mua)
    reflectance, transmittance = slab(mua, musp, math.inf)
    assert reflectance == pytest.approx(1 + ratio - math.sqrt(ratio * (ratio + 2)), rel=1e-9)
    assert transmittance == 0


@settings(deadline=None)
@given(positive, positive)
def test_slab_of_no_thickness_is_not_there(mua, musp):
    reflectance, transmittance = slab(mua, musp, 0.0)
    assert (reflectance, transmittance) == (0, pytest.approx(1))


def test_slab_that_hardly_scatters_follows_beer_and_lambert_for_diffuse_light():
    reflectance, transmittance = slab(200.0, 1e-9, 0.01)
    assert transmittance == pytest.approx(math.exp(-2 * 200.0 * 0.01), rel=2e-3)
    assert reflectance < 1e-3


@settings(deadline=None)
@given(positive, positive, lengths, lengths)
def test_two_slabs_on_each_other_are_one(mua, musp, upper, lower):
    r1, t1 = slab(mua, musp, upper)
    r2, t2 = slab(mua, musp, lower)
    both_r, both_t = slab(mua, musp, upper + lower)
    assert both_r == pytest.approx(r1 + t1 * t1 * r2 / (1 - r1 * r2), abs=1e-9)
    assert both_t == pytest.approx(t1 * t2 / (1 - r1 * r2), abs=1e-9)


@settings(deadline=None)
@given(positive, positive, lengths)
def test_slab_makes_no_light(mua, musp, thickness):
    reflectance, transmittance = slab(mua, musp, thickness)
    assert 0 <= reflectance <= 1
    assert 0 <= transmittance <= 1
    assert reflectance + transmittance <= 1 + 1e-12


# --- the whole


def test_without_epidermis_only_the_dermis_is_seen():
    wavelengths = np.array([465.0, 542.0, 630.0])
    base = mua_base_per_cm(wavelengths)
    mua = 0.01 * mua_blood_per_cm(wavelengths, 0.7) + 0.99 * base
    expected = half_space_reflectance(mua, 1.2 * musp_per_cm(wavelengths))
    np.testing.assert_allclose(skin_reflectance(wavelengths, 0.3, 0.0, 0.01, 0.7, 1.2), expected, rtol=1e-12)


def test_under_an_endless_epidermis_blood_is_not_seen():
    with_blood, without = (skin_reflectance(CHECK_NM, 0.05, math.inf, blood, 0.6, 1.0) for blood in (0.05, 0.0))
    np.testing.assert_array_equal(with_blood, without)


@pytest.mark.parametrize(
    ("field", "darker"), [("melanin_fraction", 2.0), ("blood_fraction", 2.0), ("thickness_cm", 2.0)]
)
def test_more_absorber_is_darker_at_every_wavelength(field, darker):
    skin = PRESETS["light_skin"]
    changed = skin._replace(**{field: getattr(skin, field) * darker})
    assert (skin_reflectance(CHECK_NM, *changed) < skin_reflectance(CHECK_NM, *skin)).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_two_layers_are_the_slab_on_the_half_space(seed):
    # the fused form of whole images against the two functions that are tested above, one number at a time
    rng = np.random.default_rng(seed)
    melanin, blood, saturation = rng.uniform(0, (0.5, 0.2, 1.0))
    thickness, gain = rng.choice([0.0, rng.uniform(0, 0.05), math.inf]), rng.uniform(0.2, 4)
    wavelengths = rng.uniform(450, 700, 3)
    found = skin_reflectance(wavelengths, melanin, thickness, blood, saturation, gain)
    for nm, value in zip(wavelengths, found, strict=True):
        base, musp = mua_base_per_cm(nm), gain * musp_per_cm(nm)
        above, passed = slab(base + melanin * (mua_melanosome_per_cm(nm) - base), musp, thickness)
        below = half_space_reflectance(base + blood * (mua_blood_per_cm(nm, saturation) - base), musp)
        assert value == pytest.approx(above + passed**2 * below / (1 - above * below), rel=1e-9)


def test_maps_broadcast_and_float32_stays_float32(monkeypatch):
    monkeypatch.setattr("napari_hsisynth.optics.two_layers._BLOCK", 7)  # several blocks, the last one short
    melanin = np.linspace(0.01, 0.2, 5, dtype=np.float32)[:, None]
    blood = np.linspace(0.002, 0.02, 4, dtype=np.float32)
    maps = skin_reflectance([500, 600], melanin, 0.006, blood, 0.65, 1.0)
    assert (maps.shape, maps.dtype) == ((2, 5, 4), np.float32)
    for y, x in ((0, 0), (2, 3), (4, 1)):
        alone = skin_reflectance([500, 600], float(melanin[y, 0]), 0.006, float(blood[x]), 0.65, 1.0)
        assert alone.dtype == np.float64
        np.testing.assert_allclose(maps[:, y, x], alone, rtol=2e-5)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"melanin_fraction": 1.2}, "melanin_fraction"),
        ({"melanin_fraction": math.nan}, "melanin_fraction"),
        ({"blood_fraction": np.array([0.1, -0.1])}, "blood_fraction"),
        ({"oxygen_saturation": 65}, "oxygen_saturation"),
        ({"scattering_gain": 0}, "scattering_gain"),
        ({"thickness_cm": -0.01}, "thickness_cm"),
        ({"thickness_cm": "thin"}, "thickness_cm"),
    ],
)
def test_impossible_skin_is_refused_by_name(changes, named):
    with pytest.raises(InputError, match=named):
        skin_reflectance(CHECK_NM, *PRESETS["light_skin"]._replace(**changes))


@pytest.mark.parametrize("wavelengths", [[100.0], [1200.0], [math.nan], [0.5]])
def test_wavelengths_outside_the_tables_are_refused(wavelengths):
    with pytest.raises(InputError, match="250-1000 nm"):
        skin_reflectance(wavelengths, *PRESETS["light_skin"])


# --- chromophores and tables


def test_haemoglobin_has_its_isosbestic_points():
    for wavelength in (500, 529, 545, 570, 584):
        oxygenated, deoxygenated = (float(mua_blood_per_cm(wavelength, share)) for share in (1.0, 0.0))
        assert oxygenated == pytest.approx(deoxygenated, rel=0.03)


def test_coefficients_at_known_wavelengths():
    assert mua_melanosome_per_cm(694) == pytest.approx(228, rel=0.02)  # Jacques's ruby laser value: about 230 per cm
    assert musp_per_cm(500) == 46
    assert mua_base_per_cm(1000) == pytest.approx(0.244, rel=0.01)


def test_tables_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        table("haemoglobin")["oxy_per_cm_m"][0] = 1


@needs_data
def test_shipped_table_agrees_with_two_other_copies():
    shipped = table("haemoglobin")
    other = scipy.io.loadmat(Path(TEST_DATA) / "spectra" / "medhsi" / "extinctionCoefficients.mat")
    np.testing.assert_allclose(shipped["oxy_per_cm_m"], other["extCoeffHbO"].ravel(), atol=0.01)
    np.testing.assert_allclose(shipped["deoxy_per_cm_m"], other["extCoeffHbR"].ravel(), atol=0.01)
    for name, saturation in (("Oxyhemoglobin", 1.0), ("Deoxyhemoglobin", 0.0)):
        with np.load(Path(TEST_DATA) / "spectra" / "simpa" / f"{name}.npz") as coefficients:
            seen = (coefficients["wavelengths"] >= 450) & (coefficients["wavelengths"] <= 650)
            ours = mua_blood_per_cm(coefficients["wavelengths"][seen], saturation)
            np.testing.assert_allclose(ours, coefficients["values"][seen], rtol=0.02)


@needs_data
def test_model_follows_measured_cheeks():
    measured = scipy.io.loadmat(Path(TEST_DATA) / "spectra" / "isetcam_skin" / "HyspexSkinReflectance.mat")
    wavelengths = measured["wavelength"].ravel().astype(float)
    seen = (wavelengths >= 465) & (wavelengths <= 630)
    wavelengths, cheeks = wavelengths[seen], measured["data"][seen]
    at_560 = cheeks[np.abs(wavelengths - 560).argmin()].mean()
    for dip in (542, 575):  # what the model's light skin shows is there in people
        assert cheeks[np.abs(wavelengths - dip).argmin()].mean() < at_560
    errors = []
    for cheek in cheeks.T[::7]:
        fit = least_squares(
            lambda skin, cheek=cheek: skin_reflectance(wavelengths, *skin) - cheek,
            [0.05, 0.006, 0.01, 0.65, 1.0],
            bounds=([0.002, 0.003, 0.0005, 0.2, 0.4], [0.4, 0.02, 0.08, 1.0, 3.0]),
            x_scale=[0.03, 0.003, 0.01, 0.3, 0.5],
        )
        errors.append(np.sqrt(np.mean(fit.fun**2)))
    print(f"rms misfit over {len(errors)} cheeks: median {np.median(errors):.4f}, worst {max(errors):.4f}")
    assert np.median(errors) < 0.01
    assert max(errors) < 0.025


@pytest.mark.parametrize("module", ["chromophores", "reflectance", "phantom", "draws", "quality"])
def test_docstring_examples_hold(module):
    result = doctest.testmod(importlib.import_module(f"napari_hsisynth.optics.{module}"))
    assert result.attempted
    assert not result.failed
