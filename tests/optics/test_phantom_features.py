"""What a lesion shows and what lies on it, one feature at a time: two phantoms that differ in one trait alone."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_hsisynth.optics import SENSORS, WAVELENGTHS_NM, lesion_phantom, phantom_series
from napari_hsisynth.optics.draws import Draws
from napari_hsisynth.optics.lesions import KINDS, draw_traits
from napari_hsisynth.optics.shapes import random_outline
from napari_hsisynth.optics.surface import Surface, bare, covered, draw_surface
from napari_hsisynth.optics.tables import table
from napari_hsisynth.optics.tissue import grow_lesion, plain_skin

IDEAL, CAMERA = SENSORS
SHAPE = (160, 192)
PLAIN = replace(
    draw_traits(Draws("plain"), "dysplastic_nevus"),
    **{"size": 0.6, "elongation": 0.1, "irregularity": 0.02, "edge": 0.1, "imbalance": 0.0, "unevenness": 0.0},
    **{"network": 0.0, "patchiness": 0.0, "globules": 0.0, "regression": 0.0, "vessels": "none", "vessel_blood": 0.05},
)


def grown(seed=0, **traits):
    """Maps and mask of one lesion whose traits are plain but for those given."""
    traits = replace(PLAIN, **traits)
    skin = plain_skin(Draws("skin", seed), traits, SHAPE)
    outline = random_outline(Draws("outline", seed), SHAPE, size=0.6, elongation=0.1, irregularity=0.02)
    window, inside = grow_lesion(skin, Draws("texture", seed), traits, outline)
    mask = np.zeros(SHAPE, bool)
    mask[window] = inside
    return skin, mask


def changed(name, **traits):
    """Where one map differs from the plain lesion's, by how much, and the mask."""
    skin, mask = grown(**traits)
    return getattr(skin, name) - getattr(grown()[0], name), mask


def sides_of(labels):
    """Height and width of each labelled piece."""
    return [tuple(part.stop - part.start for part in box) for box in ndimage.find_objects(labels)]


# --- what a lesion shows


def test_globules_are_dark_dots_within_the_lesion():
    more, mask = changed("melanin_fraction", globules=30.0, globule_size=0.03)
    dots = more > 0.1 * more.max()
    assert more.min() == 0
    assert not dots[~ndimage.binary_dilation(mask, iterations=4)].any()
    assert 8 <= ndimage.label(dots)[1] <= 30  # some overlap
    assert 0.01 < dots[mask].mean() < 0.25
    for name in ("blood_fraction", "thickness_cm", "scattering_gain"):
        assert not changed(name, globules=30.0, globule_size=0.03)[0].any()


def test_network_is_dark_lines_around_many_lighter_holes_and_fades_out_over_the_border():
    skin, mask = grown(network=1.0)
    ratio = skin.melanin_fraction / grown()[0].melanin_fraction
    assert ratio[mask].min() < 0.75
    assert ratio[mask].max() > 1.1
    assert ndimage.label((ratio < 0.9) & mask)[1] > 40  # holes, apart from each other
    lines = ndimage.label((ratio > 1) & mask, np.ones((3, 3)))[0]
    assert np.bincount(lines.ravel())[1:].max() > 0.7 * (lines > 0).sum()  # one net
    far = ~ndimage.binary_dilation(mask, iterations=24)
    np.testing.assert_allclose(ratio[far], 1, atol=0.05)


def test_a_patchy_network_is_missing_in_places():
    def depth(patchiness):
        ratio = grown(network=1.0, patchiness=patchiness)[0].melanin_fraction / grown()[0].melanin_fraction
        mask = ndimage.binary_erosion(grown()[1], iterations=6)
        local = ndimage.generic_filter(np.log(ratio)[::2, ::2], np.std, size=7)[mask[::2, ::2]]
        return np.percentile(local, 5) / np.median(local)

    assert depth(1.0) < 0.6 * depth(0.0)


def test_regression_takes_pigment_away_in_scars_that_are_paler_redder_and_scatter_more():
    less, mask = changed("melanin_fraction", regression=0.8)
    scars = less < -0.2 * PLAIN.melanin
    assert 0.02 < scars[mask].mean() < 0.6
    assert less.max() <= 1e-6
    assert changed("blood_fraction", regression=0.8)[0][scars].min() > 0
    assert changed("scattering_gain", regression=0.8)[0][scars].min() > 0
    assert changed("thickness_cm", regression=0.8)[0][scars].max() < 0


def test_vessels_are_blood_in_dots_short_lines_or_a_few_trees():
    pieces = {}
    for pattern in ("dotted", "linear", "branching"):
        blood, mask = changed("blood_fraction", vessels=pattern)
        vessel = blood > 0.2 * blood.max()
        assert blood.min() > -1e-6
        assert 0.003 < vessel[mask].mean() < 0.3
        assert not vessel[~ndimage.binary_dilation(mask, iterations=16)].any()
        assert not changed("melanin_fraction", vessels=pattern)[0].any()
        labels, count = ndimage.label(vessel, np.ones((3, 3)))
        reach = [
            max(np.ptp(part[0].indices(999)[:2]), np.ptp(part[1].indices(999)[:2]))
            for part in ndimage.find_objects(labels)
        ]
        pieces[pattern] = count, max(reach)
    assert pieces["dotted"][0] > pieces["linear"][0] > pieces["branching"][0] <= 6
    assert pieces["dotted"][1] < pieces["linear"][1] < pieces["branching"][1]


def test_imbalance_darkens_one_side():
    def sides(imbalance):
        skin, mask = grown(imbalance=imbalance)
        y, x = np.nonzero(mask)
        weights = skin.melanin_fraction[mask]
        return np.hypot(np.average(y, weights=weights) - y.mean(), np.average(x, weights=weights) - x.mean())

    assert sides(0.8) > 4 * sides(0.0)


def test_every_pattern_of_vessels_occurs_and_regression_is_most_common_in_melanoma():
    drawn = {kind: [draw_traits(Draws("many", n), kind) for n in range(400)] for kind in KINDS}
    for traits in drawn.values():
        assert {each.vessels for each in traits} == {"none", "dotted", "linear", "branching"}
    often = {kind: np.mean([each.regression > 0 for each in traits]) for kind, traits in drawn.items()}
    assert often["melanoma"] > 0.25 > often["dysplastic_nevus"] > often["nevus"] == 0


# --- what lies on it


def test_hair_is_dark_and_darkest_at_short_wavelengths():
    scene = np.full((16, 30, 40), 0.5, np.float32)
    hair = np.zeros((30, 40), np.float32)
    hair[10] = 1
    hair[20] = 0.5
    seen = covered(scene, Surface(hair, np.zeros_like(hair), 0.08), WAVELENGTHS_NM)
    assert seen is scene
    assert (seen[:, 10] < 0.15).all()
    assert (np.diff(seen[:, 10, 0]) > 0).all()
    np.testing.assert_allclose(seen[:, 20], (0.5 + seen[:, 10]) / 2, rtol=1e-5)
    np.testing.assert_array_equal(np.delete(seen, (10, 20), axis=1), np.float32(0.5))


@pytest.fixture(scope="module")
def surfaces():
    return [draw_surface(Draws("surface", number), (96, 128)) for number in range(200)]


def test_a_third_of_the_images_show_hair_that_is_thin_and_long(surfaces):
    hairy = [each.hair for each in surfaces if each.hair.any()]
    assert 0.25 < len(hairy) / len(surfaces) < 0.45
    for hair in hairy:
        assert hair.max() <= 1
        assert (hair > 0.3).mean() < 0.25
    longest, widest = [], []
    for hair in hairy:
        labels = ndimage.label(hair > 0.3, np.ones((3, 3)))[0]
        longest.append(max((max(sides) for sides in sides_of(labels)), default=0))
        widest.append(2 * ndimage.distance_transform_edt(hair > 0.3).max())
    assert np.median(longest) > 48  # half the shorter side
    assert np.median(widest) < 6


def test_glints_lie_on_a_small_share_of_the_pixels(surfaces):
    share = np.array([(each.specular > 0.5).mean() for each in surfaces])
    assert 0.0002 < share.mean() < 0.02
    assert share.max() < 0.06
    assert np.mean([each.specular.max() > 0.5 for each in surfaces]) > 0.8


def test_hair_and_glints_are_in_the_camera_picture_and_not_in_the_mask():
    hidden, shown, over_lesion, over_skin, dazzled, dull = [], [], 0, 0, [], []
    for _, made in phantom_series(24, (256, 288), 3, CAMERA, ["nevus"]):
        band = made.cube.data[12]
        thick = made.hair > 0.8
        beside = ndimage.binary_dilation(thick, iterations=4) & (made.hair == 0) & (made.specular == 0)
        if (thick & ~made.mask).sum() > 20:
            hidden.append(np.median(band[thick & ~made.mask]))
            shown.append(np.median(band[beside & ~made.mask]))
        over_lesion += (thick & made.mask).sum()
        over_skin += (thick & ~made.mask).sum()
        bright = ndimage.binary_erosion(made.specular > 0.8)
        dazzled += band[bright].tolist()
        dull += [np.median(band[made.specular == 0])]
        ideal = lesion_phantom("nevus", (256, 288), made.cube.provenance["seed"])
        np.testing.assert_array_equal(ideal.mask, made.instances == 1)
        assert not ideal.hair.any()
        assert not ideal.specular.any()
        assert ideal.cube.data.max() < 1
    assert len(hidden) >= 5
    assert (np.array(hidden) < 0.7 * np.array(shown)).all()
    assert over_lesion > 200
    assert over_skin > over_lesion
    assert len(dazzled) > 30
    assert np.median(dazzled) > 1
    assert np.median(dazzled) == pytest.approx(table("hsidermoscopy")["max"][12], rel=0.1)
    assert np.median(dull) < 1


def test_a_bare_surface_changes_nothing():
    scene = np.random.default_rng(0).uniform(0, 1, (16, 20, 24)).astype(np.float32)
    np.testing.assert_array_equal(covered(scene.copy(), bare((20, 24)), WAVELENGTHS_NM), scene)


# --- several lesions


def test_about_a_fifth_of_the_camera_cubes_hold_more_lesions_smaller_and_apart():
    made = [each for kind in KINDS for _, each in phantom_series(60, (96, 128), 6, CAMERA, [kind])]
    several = [each for each in made if len(each.kinds) > 1]
    assert 0.12 < len(several) / len(made) < 0.32
    assert any(len(set(each.kinds)) > 1 for each in several)
    for each in several:
        areas = np.bincount(each.instances.ravel())[1:]
        assert areas[0] > areas[1:].max()
        assert set(each.kinds) <= {each.kind, "nevus"}
        # two px of skin at least between any two
        near = [ndimage.binary_dilation(each.instances == n + 1, np.ones((3, 3))) for n in range(len(each.kinds))]
        assert np.sum(near, axis=0).max() == 1
        skin = np.median(each.maps["melanin_fraction"][~each.mask])
        for label in range(1, len(each.kinds) + 1):
            assert np.median(each.maps["melanin_fraction"][each.instances == label]) > skin
    assert all(made.kinds == ("melanoma",) for _, made in phantom_series(20, (96, 128), 6, IDEAL, ["melanoma"]))
