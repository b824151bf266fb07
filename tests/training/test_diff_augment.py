"""DiffAugment lets gradients through and treats all bands alike: as light does, where it knows the normalisation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics import spectral_angle
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.diff_augment import DiffPolicy, diff_augment
from napari_hsisynth.training.normalisation import Normalisation

ALL = "translation,cutout,gain,offset"
NORMALISATION = Normalisation([0.2, 0.3, 0.5], [0.1, 0.05, 0.2])


def batch_of(images, **share):
    masks = torch.zeros(len(images), *images.shape[-2:], dtype=torch.bool)
    return Batch(images, masks, torch.zeros(len(images), dtype=torch.int64), **share)


def encoded(count=6, size=12, seed=0):
    """Images in the camera's values, and normalised."""
    camera = np.random.default_rng(seed).uniform(0.05, 1.0, (count, 3, size, size))
    return camera, torch.from_numpy(NORMALISATION.encode(camera))


def test_gradients_are_right_to_the_second_order():
    images = torch.randn(2, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    policy = DiffPolicy.of(ALL, Normalisation([0.2, 0.3], [0.1, 0.4]))

    def function(values):
        torch.manual_seed(1)
        return diff_augment(values, batch_of(values), policy).square()

    assert torch.autograd.gradcheck(function, images)
    assert torch.autograd.gradgradcheck(function, images)


def test_a_gain_is_more_light_and_changes_no_spectral_angle():
    camera, images = encoded()
    made = diff_augment(images, batch_of(images), DiffPolicy.of("gain", NORMALISATION))
    decoded = NORMALISATION.decode(made.numpy())
    factor = decoded / camera
    np.testing.assert_allclose(factor, np.broadcast_to(factor[:, :1, :1, :1], factor.shape), rtol=1e-6)
    assert len(np.unique(factor[:, 0, 0, 0])) == len(images)
    assert factor.max() <= 1.2 + 1e-6
    assert factor.min() >= 1 / 1.2 - 1e-6
    np.testing.assert_allclose(spectral_angle(decoded, camera), 0, atol=1e-6)


def test_an_offset_is_the_same_in_the_cameras_values_of_all_bands():
    camera, images = encoded()
    step = NORMALISATION.decode(diff_augment(images, batch_of(images), DiffPolicy.of("offset", NORMALISATION)).numpy())
    step -= camera
    np.testing.assert_allclose(step, np.broadcast_to(step[:, :1, :1, :1], step.shape), atol=1e-6)
    assert 0 < np.abs(step).max() <= 0.2 * NORMALISATION.scale.mean() + 1e-6


def test_without_a_normalisation_spectra_move_on_the_line_from_the_mean_spectrum():
    _, images = encoded()
    made = diff_augment(images, batch_of(images), "gain")
    np.testing.assert_allclose(spectral_angle(made.numpy(), images.numpy()), 0, atol=1e-6)
    step = diff_augment(images, batch_of(images), "offset") - images
    assert torch.allclose(step, step[:, :1, :1, :1].expand_as(step))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(4, 40), st.integers(4, 40), st.sampled_from(["translation", "cutout"]))
def test_geometry_moves_or_removes_whole_spectra_and_the_masks_with_them(seed, height, width, name):
    torch.manual_seed(seed)
    tag = torch.arange(1.0, height * width + 1).view(height, width)
    images = torch.stack([tag, 2 * tag, 3 * tag]).expand(3, 3, height, width)
    made, masks = diff_augment(images, batch_of(images), name, images[:, 0])
    assert torch.equal(made, torch.stack([masks, 2 * masks, 3 * masks], dim=1))
    for one in masks:
        left = one[one > 0]
        assert len(left.unique()) == len(left), "no pixel is there twice"
        if name == "cutout":
            gone = int((one == 0).sum())
            assert 0 < gone <= int(height / 2 + 0.5) * int(width / 2 + 0.5)
            assert torch.equal(one[one > 0], tag[one > 0])
        else:
            row, column = (int(index) for index in (one > 0).nonzero()[0])
            shift_y = row - (int(one[row, column]) - 1) // width
            shift_x = column - (int(one[row, column]) - 1) % width
            assert abs(shift_y) <= int(height / 8 + 0.5)
            assert abs(shift_x) <= int(width / 8 + 0.5)
            assert len(left) == (height - abs(shift_y)) * (width - abs(shift_x))


def test_masks_of_several_channels_and_of_bool_go_along():
    torch.manual_seed(0)
    images = torch.rand(4, 3, 16, 16) + 1
    inside = torch.ones(4, 16, 16, dtype=torch.bool)
    for masks in (inside, inside[:, None].float().expand(4, 2, 16, 16)):
        torch.manual_seed(2)
        made, moved = diff_augment(images, batch_of(images), "translation,cutout", masks)
        assert moved.dtype == masks.dtype
        assert moved.shape == masks.shape
        seen = moved if moved.ndim == 3 else moved[:, 1]
        assert torch.equal(made[:, 0] != 0, seen.bool())


def test_strength_zero_changes_nothing():
    images = torch.randn(4, 3, 8, 8)
    for policy in (DiffPolicy.of(ALL, NORMALISATION, strength=0), DiffPolicy.of(""), DiffPolicy(), ""):
        assert torch.equal(diff_augment(images, batch_of(images), policy), images)
    never = DiffPolicy.of(ALL, NORMALISATION, probability=0.0)
    assert torch.equal(diff_augment(images, batch_of(images), never), images)


@pytest.mark.parametrize("name", ["cutout", "gain", "offset"])
def test_each_image_is_changed_with_the_probability_asked_for(name):
    torch.manual_seed(3)
    images = torch.rand(4000, 1, 4, 4) + 1
    made = diff_augment(images, batch_of(images), DiffPolicy.of(name, probability=0.3))
    changed = (made != images).flatten(1).any(dim=1).float().mean()
    assert abs(float(changed) - 0.3) < 0.03  # 4 standard deviations


def test_the_same_seed_gives_real_and_generated_images_the_same_and_shares_of_a_batch_too():
    images = torch.rand(6, 3, 17, 13)
    policy = DiffPolicy.of(ALL, NORMALISATION)
    torch.manual_seed(9)
    whole = diff_augment(images, batch_of(images), policy)
    torch.manual_seed(9)
    assert torch.equal(diff_augment(images.clone(), batch_of(images), policy), whole)
    assert not torch.equal(diff_augment(images, batch_of(images), policy), whole)
    parts = []
    for rows in (slice(0, 2), slice(2, 6)):
        torch.manual_seed(9)
        parts.append(diff_augment(images[rows], batch_of(images[rows], total=6, first=rows.start), policy))
    assert torch.equal(torch.cat(parts), whole)


def test_a_policy_moved_to_a_device_does_the_same():
    images = torch.rand(3, 3, 8, 8)
    policy = DiffPolicy.of("gain,offset", NORMALISATION)
    made = []
    for one in (policy, policy.to(torch.device("cpu"))):
        torch.manual_seed(1)
        made.append(diff_augment(images, batch_of(images), one))
    assert torch.equal(*made)
    assert DiffPolicy.of("gain").to(torch.device("cpu")).zero is None


def test_half_precision_stays_half_precision():
    images = torch.rand(2, 3, 8, 8).to(torch.bfloat16)
    assert diff_augment(images, batch_of(images), DiffPolicy.of(ALL, NORMALISATION)).dtype == torch.bfloat16


def test_an_unknown_transform_is_named():
    with pytest.raises(InputError, match=r"no transform 'saturation'; use: translation, cutout, gain, offset"):
        DiffPolicy.of("gain,saturation")
    with pytest.raises(ValueError, match="3 images, but a batch of 2"):
        diff_augment(torch.zeros(3, 1, 4, 4), batch_of(torch.zeros(2, 1, 4, 4)), "gain")
