"""What phantoms are drawn with: random numbers, fields, outlines, nets and strokes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats
from scipy.spatial import ConvexHull

from napari_hsisynth.optics.draws import Draws
from napari_hsisynth.optics.shapes import net, random_field, random_outline
from napari_hsisynth.optics.strokes import STEP_PX, curves, strokes

# --- random numbers


def test_draws_depend_on_the_key_alone_and_stay_what_they_are():
    # raw bits are guaranteed by NumPy (NEP 19); these were drawn once and must never change
    assert Draws("pinned", 1).integer(32) == 3968202943
    assert Draws("pinned", 1, 0).integer(53) == 8885479297114805
    assert Draws("a", 1).uniforms(5).tolist() == Draws("a", 1).uniforms(5).tolist()
    assert Draws("a", 1).uniform() != Draws("a", 2).uniform()
    assert Draws("a", -(2**80)).uniform() != Draws("a", 2**80).uniform()


def test_draws_have_the_distributions_they_say():
    assert stats.kstest(Draws(1).uniforms(20_000, -2, 3), stats.uniform(-2, 5).cdf).pvalue > 0.01
    assert stats.kstest(Draws(2).normals(20_000), "norm").pvalue > 0.01
    noise = Draws(3).noise((100, 201))
    assert noise.shape == (100, 201)
    assert noise.dtype == np.float32
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    assert noise.std() == pytest.approx(1, abs=0.02)


# --- fields


def test_random_field_has_the_asked_scale():
    height, width, side = 128, 192, 128
    field = random_field(Draws(0), (height, width), cycles=20, width=2)
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)
    power = np.abs(np.fft.fft2(field)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height, 1 / side)[:, None], np.fft.fftfreq(width, 1 / side)[None])
    assert (power * frequency).sum() / power.sum() == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize("shape", [(16, 16), (17, 31), (97, 16)])
def test_random_field_works_where_its_scale_does_not_fit(shape):
    field = random_field(Draws(0), shape, cycles=100, width=1)
    assert field.std() == pytest.approx(1, abs=1e-3)


# --- outlines


def everywhere(shape):
    return slice(0, shape[0]), slice(0, shape[1])


def test_outline_without_lobes_or_elongation_is_a_circle_of_the_asked_size():
    outline = random_outline(Draws(0), (200, 200), size=0.5, elongation=0.0, irregularity=0.0)
    level, down, right = outline.level(everywhere((200, 200)))
    assert (level < 1).sum() == pytest.approx(np.pi * 50**2, rel=0.01)
    np.testing.assert_allclose(np.hypot(down, right), 1, atol=1e-5)
    assert outline.reach_px == pytest.approx(50)


def test_level_is_continuous_around_the_centre_and_grows_along_every_ray():
    outline = random_outline(Draws(5), (200, 240), size=0.5, elongation=0.3, irregularity=0.15, lobing=0.8)
    level = outline.level(everywhere((200, 240)))[0]
    y, x = outline.centre
    ring = np.linspace(0, 2 * np.pi, 4000)
    radii = [*outline.radii_px, outline.radii_px[0]]
    on_outline = np.interp((ring + np.pi) % (2 * np.pi), np.linspace(0, 2 * np.pi, len(radii)), radii)
    points = np.array([y + on_outline * np.sin(ring), x + on_outline * np.cos(ring)])
    np.testing.assert_allclose(ndimage.map_coordinates(level, points, order=1), 1, atol=0.01)
    inner = ndimage.map_coordinates(level, np.array([[y], [x]]) + 0.5 * (points - [[y], [x]]), order=1)
    np.testing.assert_allclose(inner, 0.5, atol=0.01)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    height=st.integers(16, 300),
    width=st.integers(16, 300),
    irregularity=st.floats(0, 0.25),
    lobing=st.floats(0.3, 1),
)
def test_every_outline_lies_inside_the_image_and_its_window(seed, height, width, irregularity, lobing):
    outline = random_outline(
        Draws(seed), (height, width), size=0.9, elongation=0.4, irregularity=irregularity, lobing=lobing
    )
    mask = outline.level(everywhere((height, width)))[0] < 1
    assert not any(edge.any() for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    window = outline.window((height, width), 1.0)
    assert mask.sum() == mask[window].sum() > 0
    np.testing.assert_array_equal(outline.level(window)[0] < 1, mask[window])


def test_lobes_leave_notches_and_make_the_outline_lopsided():
    def solidity_and_lopsidedness(irregularity, lobing):
        found = []
        for seed in range(40):
            outline = random_outline(
                Draws(seed), (256, 256), size=0.5, elongation=0.2, irregularity=irregularity, lobing=lobing
            )
            mask = outline.level(everywhere((256, 256)))[0] < 1
            corners = np.concatenate([np.argwhere(mask) + step for step in ([0, 0], [0, 1], [1, 0], [1, 1])])
            middle = np.argwhere(mask).mean(0) - outline.centre
            found.append((mask.sum() / ConvexHull(corners).volume, np.hypot(*middle) / outline.reach_px))
        return np.median(found, axis=0)

    plain, lobed = solidity_and_lopsidedness(0.02, 0.5), solidity_and_lopsidedness(0.15, 0.9)
    print("solidity, lopsidedness:", plain, lobed)
    assert plain[0] > 0.97
    assert 1 - lobed[0] > 2 * (1 - plain[0])
    assert lobed[1] > 3 * plain[1]


# --- nets


@pytest.mark.parametrize("cell_px", [6.0, 11.0])
def test_net_without_bends_is_a_honeycomb(cell_px):
    shape = (240, 300)
    still = np.zeros(shape, np.float32)
    peaks = net(shape, cell_px, 0.3, (still, still))
    holes = ndimage.label(peaks > 1.5)[1]
    assert holes == pytest.approx(shape[0] * shape[1] / (np.sqrt(3) / 2 * cell_px**2), rel=0.08)
    lines, _ = ndimage.label(peaks < -0.5, np.ones((3, 3)))
    assert np.bincount(lines.ravel())[1:].max() > 0.9 * (lines > 0).sum()  # they hang together, the holes do not
    assert peaks.min() >= -1.5 - 1e-4
    assert peaks.max() <= 3 + 1e-4


# --- strokes


@pytest.mark.parametrize("half_width", [0.3, 0.8, 2.5])
@pytest.mark.parametrize("slope", [0.0, 0.7])
def test_a_straight_line_covers_its_length_times_its_width(half_width, slope):
    path = curves([[20.3, 30.2]], [slope], [60.0], [0.0])
    covered = strokes((90, 120), path, half_width)
    assert covered.max() <= min(1, 2 * half_width) + 1e-6
    ends = np.pi * half_width**2 if half_width >= 0.5 else 0
    assert covered.sum() == pytest.approx(2 * half_width * (60 - STEP_PX) + ends, rel=0.12)


def test_a_dot_is_a_disc_wherever_it_lies():
    for centre in ([20, 20], [20.5, 20.25], [20.49, 19.51]):
        covered = strokes((41, 41), [centre], 6.0)
        assert covered.sum() == pytest.approx(np.pi * 36, rel=0.02)
        np.testing.assert_allclose(ndimage.center_of_mass(covered), centre, atol=0.02)


def test_strokes_over_the_edge_are_cut_off_and_the_strongest_counts():
    whole = strokes((40, 40), [[20, 20]], 5.0)
    cut = strokes((40, 20), [[20, 20]], 5.0)
    np.testing.assert_array_equal(cut, whole[:, :20])
    assert not strokes((40, 40), [[-90, 20], [20, 400]], 5.0).any()
    assert not strokes((40, 40), np.zeros((0, 2)), 1.0).any()
    points, strengths = np.array([[20, 20], [20, 22]]), np.array([0.4, 0.9])
    both = strokes((40, 40), points, 5.0, strengths)
    apart = [strokes((40, 40), [point], 5.0, strength) for point, strength in zip(points, strengths, strict=True)]
    np.testing.assert_array_equal(both, np.maximum(*apart))
    np.testing.assert_array_equal(both, strokes((40, 40), points[::-1], 5.0, strengths[::-1]))


def test_curves_bend_by_what_was_asked():
    straight, circle = curves([[5, 5], [50, 50]], [np.pi / 2, 0.4], [40.0, 60.0], [0.0, 2 * np.pi])
    np.testing.assert_allclose(straight[-1], [45, 5], atol=1e-9)  # heading pi/2 is down the rows
    np.testing.assert_allclose(circle[-1], [50, 50], atol=1e-9)
    middle = circle.mean(axis=0)
    np.testing.assert_allclose(np.hypot(*(circle - middle).T), 60 / (2 * np.pi), rtol=0.02)
