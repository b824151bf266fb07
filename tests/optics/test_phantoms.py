"""Phantoms: what they promise about masks, maps, seeds, sensors and the overlap of the kinds."""

import json
import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_hsisynth.errors import InputError
from napari_hsisynth.optics import (
    SENSORS,
    SURFACE_REFLECTANCE,
    WAVELENGTHS_NM,
    lesion_phantom,
    phantom_series,
    skin_reflectance,
)
from napari_hsisynth.optics.lesions import KINDS
from napari_hsisynth.optics.sensor import _seen_from
from napari_hsisynth.optics.shapes import random_field, random_outline
from napari_hsisynth.optics.tables import table

MELANOMA, DYSPLASTIC, NEVUS = "melanoma", "dysplastic_nevus", "nevus"
PER_CLASS = 150
SMALL = (40, 56)


@cache
def population(kind, sensor):
    """Mean spectra of lesion and skin, largest and smallest value of each phantom."""
    rows = []
    for _, phantom in phantom_series(PER_CLASS, SMALL, seed=1, sensor=sensor, kinds=[kind]):
        data = phantom.cube.data
        inside = phantom.mask
        rows.append((data[:, inside].mean(1), data[:, ~inside].mean(1), data.max(), data.min()))
    lesion, skin, highest, lowest = zip(*rows, strict=True)
    return np.array(lesion), np.array(skin), np.array(highest), np.array(lowest)


# --- one phantom


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    height=st.integers(16, 90),
    width=st.integers(16, 90),
    seed=st.integers(-(2**70), 2**70),
)
def test_any_shape_and_seed_has_one_lesion_with_skin_all_around(kind, height, width, seed):
    phantom = lesion_phantom(kind, (height, width), seed)
    mask = phantom.mask
    assert phantom.cube.data.shape == (16, height, width)
    assert np.isfinite(phantom.cube.data).all()
    assert mask.shape == (height, width)
    assert mask.dtype == bool
    assert ndimage.label(mask)[1] == 1
    assert mask.sum() >= 8
    assert not any(edge.any() for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))


def test_ideal_cube_is_the_skin_model_of_its_maps():
    phantom = lesion_phantom(MELANOMA, (40, 60), 3)
    expected = skin_reflectance(WAVELENGTHS_NM, **{name: values.astype(float) for name, values in phantom.maps.items()})
    np.testing.assert_allclose(phantom.cube.data, expected + SURFACE_REFLECTANCE, rtol=1e-4)
    assert all(values.dtype == np.float32 and values.shape == (40, 60) for values in phantom.maps.values())


def test_wavelengths_are_the_even_grid():
    np.testing.assert_allclose(WAVELENGTHS_NM, 465 + 11 * np.arange(16))


@pytest.mark.parametrize("sensor", SENSORS)
def test_the_same_call_gives_the_same_bits_whatever_came_before(sensor):
    first = lesion_phantom(NEVUS, (48, 64), 11, sensor)
    np.random.seed(3)  # noqa: NPY002  the global state must not matter
    lesion_phantom(MELANOMA, (30, 30), 5, sensor)
    again = lesion_phantom(NEVUS, (48, 64), 11, sensor)
    assert first.cube.data.tobytes() == again.cube.data.tobytes()
    assert first.mask.tobytes() == again.mask.tobytes()
    assert lesion_phantom(NEVUS, (48, 64), 12, sensor).cube.data.tobytes() != first.cube.data.tobytes()


def test_both_sensors_see_the_same_lesion():
    ideal, real = (lesion_phantom(DYSPLASTIC, (64, 64), 2, sensor) for sensor in SENSORS)
    np.testing.assert_array_equal(ideal.mask, real.mask)
    for name in ideal.maps:
        np.testing.assert_array_equal(ideal.maps[name], real.maps[name])
    for band in (0, 8, 15):  # the same picture, up to gain, lamp, blur and noise
        assert np.corrcoef(ideal.cube.data[band].ravel(), real.cube.data[band].ravel())[0, 1] > 0.9


def test_the_border_is_halfway_between_skin_and_pigment():
    gaps = []
    for seed in range(12):
        phantom = lesion_phantom(NEVUS, (96, 96), seed)
        melanin = phantom.maps["melanin_fraction"]
        deep = ndimage.binary_erosion(phantom.mask, iterations=8)
        far = ~ndimage.binary_dilation(phantom.mask, iterations=14)
        rim = phantom.mask & ~ndimage.binary_erosion(phantom.mask)
        low, high = melanin[far].mean(), melanin[deep].mean()
        gaps.append((melanin[rim].mean() - low) / (high - low))
    assert 0.4 < np.median(gaps) < 0.65


def test_the_cube_says_that_it_is_a_phantom_and_how_to_make_it_again():
    phantom = lesion_phantom(MELANOMA, (32, 40), -5, "hsidermoscopy")
    provenance = json.loads(json.dumps(phantom.cube.provenance))
    assert phantom.cube.name.startswith("PHANTOM")
    assert any("PHANTOM" in note for note in phantom.cube.notes)
    assert provenance["phantom"] is True
    again = lesion_phantom(*(provenance[key] for key in ("kind", "shape", "seed", "sensor")))
    assert again.cube.data.tobytes() == phantom.cube.data.tobytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "wart"}, "melanoma, dysplastic_nevus, nevus"),
        ({"sensor": "phone"}, "ideal, hsidermoscopy"),
        ({"shape": (15, 64)}, "16 px or more"),
        ({"shape": (64, 64, 16)}, "a height and a width"),
        ({"shape": 64}, "a height and a width"),
        ({"shape": (64.5, 64)}, "must be an integer"),
        ({"seed": 0.5}, "must be an integer"),
        ({"name": "patient 7"}, "starts with PHANTOM"),
    ],
)
def test_bad_arguments_are_refused_with_what_to_do(changes, message):
    with pytest.raises(InputError, match=message):
        lesion_phantom(**{"kind": MELANOMA, "shape": (32, 32)} | changes)


# --- series


def test_series_is_labelled_and_each_phantom_can_be_made_alone():
    made = list(phantom_series(2, (20, 24), seed=4, sensor="hsidermoscopy"))
    assert [cube_id for cube_id, _ in made] == [f"PHANTOM_{kind}_{n:04d}" for kind in KINDS for n in range(2)]
    for cube_id, phantom in made:
        assert phantom.cube.name == cube_id
        assert cube_id == f"PHANTOM_{phantom.kind}_{cube_id[-4:]}"
        alone = lesion_phantom(phantom.kind, (20, 24), phantom.cube.provenance["seed"], "hsidermoscopy")
        assert alone.cube.data.tobytes() == phantom.cube.data.tobytes()


def test_series_of_two_seeds_share_nothing_and_a_longer_one_only_goes_on():
    def seeds(per_class, seed):
        return [
            phantom.cube.provenance["seed"] for _, phantom in phantom_series(per_class, (16, 16), seed, kinds=[NEVUS])
        ]

    assert seeds(5, 0)[:3] == seeds(3, 0)
    assert not set(seeds(20, 0)) & set(seeds(20, 1))
    assert seeds(0, 0) == []


# --- kinds


def test_kinds_overlap_a_linear_classifier_is_right_about_four_times_in_five():
    lesions = {sensor: [population(kind, sensor)[0] for kind in (MELANOMA, DYSPLASTIC)] for sensor in SENSORS}
    areas = {sensor: linear_auc(*spectra) for sensor, spectra in lesions.items()}
    print(f"AUC of melanoma against dysplastic nevus, {PER_CLASS} each, mean lesion spectra: {areas}")
    assert 0.65 < areas["ideal"] < 0.95
    assert 0.60 < areas["hsidermoscopy"] < 0.95
    best_band = max(np.mean(lesions["ideal"][0][:, band, None] < lesions["ideal"][1][:, band]) for band in range(16))
    assert best_band < 0.9  # darker, but no band separates them


def linear_auc(positive, negative, folds=5):
    """Area under the ROC curve of a cross-validated Fisher discriminant, mean over the folds."""
    spectra = np.concatenate([positive, negative])
    truth = np.arange(len(spectra)) < len(positive)
    fold = np.concatenate([np.arange(len(positive)), np.arange(len(negative))]) % folds
    areas = []
    for left_out in range(folds):
        groups = [spectra[(fold != left_out) & (truth == label)] for label in (True, False)]
        within = sum(np.cov(group.T) for group in groups) / 2
        within += 1e-4 * np.trace(within) / len(within) * np.eye(len(within))
        direction = np.linalg.solve(within, groups[0].mean(0) - groups[1].mean(0))
        scores, labels = spectra[fold == left_out] @ direction, truth[fold == left_out]
        areas.append(np.mean(scores[labels][:, None] > scores[~labels]))
    return float(np.mean(areas))


def test_melanoma_is_more_irregular_and_asymmetric_but_not_always():
    shapes = {
        kind: np.array([shape_of(phantom.mask) for _, phantom in phantom_series(40, (96, 96), seed=2, kinds=[kind])])
        for kind in KINDS
    }
    for column, what in enumerate(("irregularity", "asymmetry")):
        values = [shapes[kind][:, column] for kind in (NEVUS, DYSPLASTIC, MELANOMA)]
        medians = [np.median(each) for each in values]
        print(what, "medians of nevus, dysplastic nevus, melanoma:", np.round(medians, 3))
        assert medians == sorted(medians)
        assert np.mean(values[2][:, None] > values[0]) > 0.75
        assert values[2].min() < values[1].max()
        assert values[1].min() < values[0].max()


def shape_of(mask):
    """Share of the lesion outside the ellipse with its second moments; share not matched after half a turn."""
    points = np.argwhere(mask).T - np.argwhere(mask).mean(0)[:, None]
    inverse = np.linalg.inv(np.cov(points))
    outside = np.mean(np.einsum("ip,ij,jp->p", points, inverse, points) > 4)
    centre = np.argwhere(mask).mean(0)
    turned_back = 2 * centre - (np.array(mask.shape) - 1)
    turned = ndimage.shift(mask[::-1, ::-1].astype(float), turned_back, order=1) > 0.5
    return outside, np.sum(mask ^ turned) / mask.sum()


def test_melanoma_is_darker_than_dysplastic_nevus_is_darker_than_nevus():
    means = [population(kind, "ideal")[0].mean(0) for kind in (MELANOMA, DYSPLASTIC, NEVUS)]
    assert (means[0] < means[1]).all()
    assert (means[1] < means[2]).all()


def test_skin_does_not_tell_the_kind():
    skin = [population(kind, "ideal")[1].mean(1) for kind in (MELANOMA, DYSPLASTIC)]
    assert 0.4 < np.mean(skin[0][:, None] < skin[1]) < 0.62  # a little: stronger pigment fades out further


# --- the camera of the real data


def test_hsidermoscopy_means_lie_within_the_published_spread():
    published = table("hsidermoscopy")
    groups = {
        "skin": np.concatenate([population(kind, "hsidermoscopy")[1] for kind in (MELANOMA, DYSPLASTIC)]),
        MELANOMA: population(MELANOMA, "hsidermoscopy")[0],
        DYSPLASTIC: population(DYSPLASTIC, "hsidermoscopy")[0],
    }
    for name, spectra in groups.items():
        off = (spectra.mean(0) - published[f"{name}_mean"]) / published[f"{name}_std"]
        print(f"{name}: mean off by {off.min():+.2f} to {off.max():+.2f} published std")
        assert np.abs(off).max() < 1


def test_hsidermoscopy_values_leave_zero_to_one_and_ideal_ones_do_not():
    highest, lowest = (np.concatenate([population(kind, "hsidermoscopy")[part] for kind in KINDS]) for part in (2, 3))
    assert np.mean(highest > 1) > 0.2
    assert lowest.min() < 0
    assert highest.max() < 3
    for kind in KINDS:
        _, _, highest, lowest = population(kind, "ideal")
        assert lowest.min() >= SURFACE_REFLECTANCE
        assert highest.max() <= 1


def test_noise_grows_with_the_signal():
    phantom = lesion_phantom(NEVUS, (128, 128), 1, "hsidermoscopy")
    detail = [np.std(np.diff(phantom.cube.data[band], n=2)[:, 100:]) / np.sqrt(6) for band in (3, 14)]
    assert 0.0015 < detail[0] < detail[1]


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


# --- shapes


def test_random_field_has_the_asked_scale():
    height, width, side = 128, 192, 128
    field = random_field(np.random.default_rng(0), (height, width), cycles=20, width=2)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)
    power = np.abs(np.fft.fft2(field)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height, 1 / side)[:, None], np.fft.fftfreq(width, 1 / side)[None])
    assert (power * frequency).sum() / power.sum() == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize("shape", [(16, 16), (17, 31), (97, 16)])
def test_random_field_works_where_its_scale_does_not_fit(shape):
    field = random_field(np.random.default_rng(0), shape, cycles=100, width=1)
    assert field.std() == pytest.approx(1, abs=1e-3)


def test_outline_without_lobes_or_elongation_is_a_circle_of_the_asked_size():
    outline = random_outline(np.random.default_rng(0), (200, 200), size=0.5, elongation=0.0, irregularity=0.0)
    level, direction = outline.level((200, 200))
    assert (level < 1).sum() == pytest.approx(np.pi * 50**2, rel=0.01)
    np.testing.assert_allclose(np.abs(direction), 1, atol=1e-5)


def test_a_full_size_phantom_is_quick():
    lesion_phantom(MELANOMA)
    began = time.process_time()
    for seed in range(3):
        lesion_phantom(MELANOMA, seed=seed)
    seconds = (time.process_time() - began) / 3
    print(f"{1 / seconds:.0f} cubes of 256 x 512 x 16 per second of one core")
    assert seconds < 0.5  # about .03 on a 2025 core; the bound is for a loaded or old machine
