"""Augmentation moves pixels, whole spectra and masks together, once interpolated, alike in one process and in many."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_hsisynth.training.augment import Augmentation, transform
from napari_hsisynth.training.batch import Batch

SIZES = st.integers(16, 45)


def batch_of(images, masks=None):
    masks = torch.zeros(len(images), *images.shape[-2:], dtype=torch.bool) if masks is None else masks
    return Batch(images, masks, torch.zeros(len(images), dtype=torch.int64))


def flat_map(count=1):
    return torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).expand(count, 2, 3)


@settings(max_examples=20, deadline=None)
@given(SIZES, SIZES, st.integers(0, 2**31), st.sampled_from([0.5, 1.0]))
def test_any_size_comes_back_at_its_size_with_no_value_that_was_not_there(height, width, seed, probability):
    torch.manual_seed(seed)
    images = torch.rand(3, 2, height, width) + 1
    made = Augmentation(probability=probability)(batch_of(images))
    assert made.images.shape == images.shape
    assert made.masks.shape == (3, height, width)
    for one, new in zip(images, made.images, strict=True):
        for band, new_band in zip(one, new, strict=True):  # a black corner would be below the least value
            assert new_band.min() >= band.min() - 1e-5
            assert new_band.max() <= band.max() + 1e-5


@settings(max_examples=20, deadline=None)
@given(SIZES, SIZES, st.integers(0, 2**31))
def test_sampling_agrees_with_scipy(height, width, seed):
    torch.manual_seed(seed)
    image = torch.rand(1, 1, height, width)
    maps = Augmentation(rotate_deg=180, shift=0.6, scale=(0.3, 3), probability=1.0).draw(1, height, width)
    made = transform(image, maps)[0, 0].numpy()
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])  # scipy counts y first, from the corner
    matrix = swap @ maps[0, :, :2].double().numpy() @ swap
    centre = (np.array([height, width]) - 1) / 2
    offset = maps[0].double().numpy()[::-1, 2] + centre - matrix @ centre
    expected = ndimage.affine_transform(image[0, 0].double().numpy(), matrix, offset, order=1, mode="mirror")
    np.testing.assert_allclose(made, expected, atol=2e-4)


def test_the_mask_has_the_geometry_of_the_image():
    torch.manual_seed(1)
    masks = torch.rand(16, 1, 8, 8).round().repeat_interleave(4, 2).repeat_interleave(4, 3)
    made = Augmentation(probability=1.0)(batch_of(masks.expand(-1, 3, -1, -1).clone(), masks[:, 0] > 0.5))
    for band in range(3):
        assert torch.equal(made.images[:, band] >= 0.5, made.masks)
    assert made.masks.any()


def test_two_processes_see_what_one_would():
    images, masks = torch.rand(7, 4, 19, 23), torch.rand(7, 19, 23) > 0.5
    classes = torch.zeros(7, dtype=torch.int64)
    augment = Augmentation()
    torch.manual_seed(5)
    whole = augment(Batch(images, masks, classes))
    for cuts in ([0, 3, 7], [0, 1, 2, 3, 4, 5, 6, 7], [0, 6, 7]):
        parts = []
        for first, last in itertools.pairwise(cuts):
            torch.manual_seed(5)
            rows = slice(first, last)
            parts.append(augment(Batch(images[rows], masks[rows], classes[rows], total=7, first=first)))
        assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
        assert torch.equal(torch.cat([part.masks for part in parts]), whole.masks)


def test_without_shift_scale_rotation_and_crop_an_image_is_only_flipped_and_stays_sharp():
    torch.manual_seed(2)
    images = torch.rand(64, 3, 17, 16)
    made = Augmentation(probability=0.0)(batch_of(images)).images
    found = set()
    for one, new in zip(images, made, strict=True):
        flipped = {axes: one.flip(axes) if axes else one for axes in [(), (1,), (2,), (1, 2)]}
        near = [axes for axes, other in flipped.items() if torch.allclose(new, other, atol=1e-4)]
        assert len(near) == 1
        found.add(near[0])
    assert len(found) == 4


def test_every_step_takes_place_as_often_as_it_should():
    torch.manual_seed(3)
    maps = Augmentation(probability=0.25).draw(20_000, 64, 64)
    determinant = maps[:, 0, 0] * maps[:, 1, 1] - maps[:, 0, 1] * maps[:, 1, 0]
    assert abs(float((determinant < 0).float().mean()) - 0.5) < 0.015  # one flip, not both: 4 standard deviations
    still = (maps[:, :, :2].abs() == torch.eye(2)).all(dim=2).all(dim=1) & (maps[:, :, 2] == 0).all(dim=1)
    assert abs(float(still.float().mean()) - 0.75**2) < 0.015
    turned = maps[:, 0, 1].abs() > 1e-6
    assert abs(float(turned.float().mean()) - 0.25) < 0.013


def test_what_is_drawn_is_within_its_limits():
    torch.manual_seed(4)
    only = {"rotate_deg": 0.0, "shift": 0.0, "scale": (1.0, 1.0), "crop": 1.0, "probability": 1.0}
    turn = Augmentation(**{**only, "rotate_deg": 20.0}).draw(2000, 64, 64)
    degrees = torch.rad2deg(torch.asin(turn[:, 0, 1].abs()))
    assert 19 < float(degrees.max()) <= 20.001
    shift = Augmentation(**{**only, "shift": 0.1}).draw(2000, 40, 80)[:, :, 2].abs()
    assert 7.9 < float(shift[:, 0].max()) <= 8
    assert 3.9 < float(shift[:, 1].max()) <= 4
    scale = 1 / Augmentation(**{**only, "scale": (0.5, 2.0)}).draw(2000, 64, 64)[:, 0, 0].abs()
    assert 0.5 <= float(scale.min()) < 0.51
    assert 1.98 < float(scale.max()) <= 2.0001
    crop = Augmentation(**{**only, "crop": 0.6}).draw(2000, 64, 64)
    corner = crop[:, 0, 0].abs() * 32 + crop[:, 0, 2].abs()  # the crop's far border, from the centre
    assert float(corner.max()) <= 32.001, "a crop lies within the image"
    assert float(crop[:, 0, 0].abs().min()) < 0.61


def test_a_shift_moves_the_image_and_reflects_it():
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    maps = flat_map().clone()
    maps[0, 0, 2] = -3.0
    assert torch.allclose(transform(ramp, maps)[0, 0, 0, :6], torch.tensor([3.0, 2, 1, 0, 1, 2]), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 1)])
def test_an_image_of_one_pixel_is_possible(shape):
    images = torch.rand(2, 3, *shape)
    assert torch.allclose(transform(images, flat_map(2)), images)
    torch.manual_seed(0)
    assert torch.isfinite(Augmentation(probability=1.0)(batch_of(images)).images).all()
