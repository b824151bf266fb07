"""Phantoms: what they promise about masks, maps, seeds, sensors and kinds."""

import json
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

MELANOMA, DYSPLASTIC, NEVUS = "melanoma", "dysplastic_nevus", "nevus"
PER_CLASS = 150
SMALL = (40, 56)


@cache
def population(kind):
    """Mean spectra of lesion and skin of each phantom, as reflectance."""
    rows = []
    for _, phantom in phantom_series(PER_CLASS, SMALL, seed=1, kinds=[kind]):
        data, inside = phantom.cube.data, phantom.mask
        rows.append((data[:, inside].mean(1), data[:, ~inside].mean(1)))
    lesion, skin = zip(*rows, strict=True)
    return np.array(lesion), np.array(skin)


# --- one phantom


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    height=st.integers(16, 90),
    width=st.integers(16, 90),
    seed=st.integers(-(2**70), 2**70),
    sensor=st.sampled_from(SENSORS),
)
def test_any_shape_and_seed_has_whole_lesions_with_skin_all_around(kind, height, width, seed, sensor):
    phantom = lesion_phantom(kind, (height, width), seed, sensor)
    mask, instances = phantom.mask, phantom.instances
    assert phantom.cube.data.shape == (16, height, width)
    assert phantom.cube.data.dtype == np.float32
    assert np.isfinite(phantom.cube.data).all()
    assert mask.shape == instances.shape == phantom.hair.shape == phantom.specular.shape == (height, width)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, instances > 0)
    assert phantom.kinds[0] == kind
    assert np.unique(instances).tolist() == list(range(len(phantom.kinds) + 1))
    assert ndimage.label(mask)[1] == len(phantom.kinds)  # apart from each other
    for label in range(1, len(phantom.kinds) + 1):
        lesion = instances == label
        assert ndimage.label(lesion)[1] == 1
        assert lesion.sum() >= 8
        assert (ndimage.binary_fill_holes(lesion) == lesion).all()  # neither hair nor glints are cut out
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


def test_both_sensors_see_the_same_first_lesion():
    alone = 0
    for seed in range(8):
        ideal, real = (lesion_phantom(DYSPLASTIC, (64, 80), seed, sensor) for sensor in SENSORS)
        np.testing.assert_array_equal(ideal.instances == 1, real.instances == 1)
        assert ideal.cube.provenance["traits"] == real.cube.provenance["traits"]
        # others change the maps where they are, and as far as they fade out, and nowhere else
        untouched = ~ndimage.binary_dilation(real.instances > 1, iterations=12)
        alone += bool(untouched.all())
        for name in ideal.maps:
            np.testing.assert_array_equal(ideal.maps[name][untouched], real.maps[name][untouched])
        around = ndimage.binary_dilation(ideal.mask, iterations=8)  # where the lamp hardly varies
        seen = untouched & around & (real.specular == 0) & (real.hair == 0)
        for band in (0, 8, 15):  # the same picture, up to gain, lamp, blur and noise
            assert np.corrcoef(ideal.cube.data[band][seen], real.cube.data[band][seen])[0, 1] > 0.75
    assert 2 <= alone < 8  # both cases were there


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
    means = [population(kind)[0].mean(0) for kind in (MELANOMA, DYSPLASTIC, NEVUS)]
    assert (means[0] < means[1]).all()
    assert (means[1] < means[2]).all()


def test_skin_does_not_tell_the_kind():
    skin = [population(kind)[1].mean(1) for kind in (MELANOMA, DYSPLASTIC)]
    assert 0.4 < np.mean(skin[0][:, None] < skin[1]) < 0.62  # a little: stronger pigment fades out further
