"""Pixels of a cube in a network's square and back: closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_hsisynth.segment.frame import Frame
from napari_hsisynth.segment.obeying import obeying
from napari_hsisynth.segment.prompts import Prompts

torch = pytest.importorskip("torch")
SHAPES = [(272, 364), (68, 91), (512, 512), (100, 900), (900, 100)]


@pytest.fixture(params=[Frame.stretched, Frame.padded], ids=["SAM 2", "SAM"])
def make(request):
    return request.param


@pytest.mark.parametrize("shape", SHAPES)
def test_the_whole_image_is_the_used_part_of_the_square(make, shape):
    frame = make(shape, 1024, 16)
    assert frame.low_px == 256
    np.testing.assert_allclose(frame.box((0, 0, *shape)), [0, 0, frame.used_yx[1] - 1, frame.used_yx[0] - 1], atol=1e-3)
    assert max(frame.used_yx) == 1024


def test_sam_keeps_the_shape_of_things_and_sam2_does_not():
    padded, stretched = Frame.padded((272, 364), 1024, 16), Frame.stretched((272, 364), 1024, 16)
    assert padded.used_yx == (765, 1024)
    assert stretched.used_yx == (1024, 1024)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_centre_of_a_pixel_is_the_centre_of_its_box(make, shape):
    frame = make(shape, 1024, 16)
    x0, y0, x1, y1 = frame.box((50, 60, 51, 61))
    np.testing.assert_allclose(frame.points([(50, 60)]), [[(x0 + x1) / 2, (y0 + y1) / 2]], atol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_the_network_sees_at_a_click_is_at_the_clicked_pixel(make, shape):
    """A blob around the position of a click in the answer comes out around the clicked pixel."""
    frame = make(shape, 1024, 16)
    clicked = (shape[0] // 3, shape[1] // 4)
    ((x, y),) = (frame.points([clicked]) + 0.5) * frame.low_px / 1024 - 0.5
    rows, columns = np.indices((256, 256))
    blob = torch.from_numpy(np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8).astype(np.float32))
    found = frame.to_pixels(blob[None])[0].astype(np.float64)
    assert found.shape == shape
    centre = [(found * along).sum() / found.sum() for along in np.indices(shape)]
    np.testing.assert_allclose(centre, clicked, atol=0.3)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_smooth_answer_survives_the_way_there_and_back(make, shape):
    frame = make(shape, 1024, 16)
    y, x = np.indices(shape) / np.array(shape)[:, None, None]
    logits = (20 * np.cos(5 * x) * np.cos(3 * y)).astype(np.float32)
    back = frame.to_pixels(frame.to_low(logits)[None])[0]
    # where the image ends inside the square, its last pixels are mixed with the emptiness beyond
    np.testing.assert_allclose(back[:-8, :-8], logits[:-8, :-8], atol=1.0)


def test_a_mask_is_handed_over_as_the_network_would_say_it(make):
    frame = make((100, 100), 1024, 16)
    mask = np.full((100, 100), -1, np.float32)
    mask[20:60, 30:70] = 1
    low = frame.to_low(mask)
    assert (float(low.max()), float(low.min())) == (10.0, -10.0)
    assert float(low[100, 128]) == 10.0
    np.testing.assert_array_equal(frame.to_pixels(low[None])[0][25:55, 35:65] > 0, True)
    assert frame.to_low(30 * mask).max() == 30.0


def test_answers_stay_within_what_networks_were_trained_on(make):
    frame = make((10, 12), 64, 16)
    assert frame.to_pixels(torch.full((1, 16, 16), 1e6)).max() == 32.0


pixel = st.tuples(st.integers(0, 19), st.integers(0, 29))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(pixel, max_size=6, unique=True),
    st.lists(st.integers(0, 1), min_size=6, max_size=6),
    st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(11, 20), st.integers(11, 30)),
    st.floats(0, 8),
    st.integers(0, 2**16),
)
def test_prompts_are_obeyed_whatever_the_network_says(points, labels, box, spot_px, seed):
    logits = np.random.default_rng(seed).normal(size=(20, 30)).astype(np.float32)
    prompts = Prompts(points, labels[: len(points)], box)
    mask = obeying(logits, prompts, spot_px) > 0
    assert all(mask[point] == bool(label) for point, label in prompts.clicks)
    if box is not None:
        outside = np.ones(mask.shape, bool)
        outside[box[0] : box[2], box[1] : box[3]] = False
        reach = int(np.ceil(spot_px)) + 1
        for y, x in prompts.of(1):  # an inside click outside the box is obeyed, with what is around it
            outside[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1] = False
        assert not (mask & outside).any()


def test_only_what_disagrees_with_a_click_is_changed():
    logits = np.full((20, 30), 5, np.float32)
    logits[:, 15:] = -5
    held = obeying(logits, Prompts([(10, 5), (10, 25)], [1, 0]), 3.0)
    np.testing.assert_array_equal(held, logits)
    held = obeying(logits, Prompts([(10, 25)], [1]), 3.0)
    changed = np.argwhere(held != logits) - (10, 25)
    assert np.hypot(*changed.T).max() < 3.0
    assert len(changed) == sum(y * y + x * x < 9 for y in range(-3, 4) for x in range(-3, 4))
