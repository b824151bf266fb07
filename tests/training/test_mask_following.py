"""Lesions where the mask is score 1, elsewhere 0; real images give the figure to reach."""

import numpy as np
import pytest

from napari_hsisynth.training.mask_following import mask_following

CHANGE = np.array([-1.0, -2.0, 0.5])


def painted(masks, strength=1.0, seed=0):
    """Images (n, 3, y, x) that change by `CHANGE` where a mask is, with a gradient of brightness and some noise."""
    rng = np.random.default_rng(seed)
    y = np.linspace(-0.2, 0.2, masks.shape[-1])
    images = (
        strength * CHANGE[:, None, None] * masks[:, None] + y + rng.normal(0, 0.1, (len(masks), 3, *masks.shape[1:]))
    )
    return images.astype(np.float32)


def discs(centre_x, count=4, side=24):
    y, x = np.ogrid[:side, :side]
    return np.stack([(y - 12) ** 2 + (x - centre_x) ** 2 <= (4 + number) ** 2 for number in range(count)])


def test_lesions_that_follow_their_masks_score_as_the_real_ones_do():
    masks = discs(10)
    figures = mask_following(painted(masks), masks, painted(masks, seed=1), masks)
    assert figures["mask_iou_real"] == pytest.approx(1, abs=0.02)
    assert figures["mask_iou"] == pytest.approx(1, abs=0.02)
    assert figures["lesion_contrast"] == pytest.approx(1, abs=0.02)
    others = np.roll(masks, -1, axis=0)
    overlap = np.mean([(a & b).sum() / (a | b).sum() for a, b in zip(masks, others, strict=True)])
    assert figures["mask_iou_chance"] == pytest.approx(overlap, abs=0.02)


def test_lesions_elsewhere_overlap_as_little_as_the_masks_do():
    masks, others = discs(7), discs(17)
    figures = mask_following(painted(masks), masks, painted(others), masks)
    overlap = np.mean([(a & b).sum() / (a | b).sum() for a, b in zip(masks, others, strict=True)])
    assert figures["mask_iou"] == pytest.approx(overlap, abs=0.02)
    assert figures["mask_iou_real"] > 0.98
    assert figures["lesion_contrast"] < 0.3


def test_no_lesions_have_no_contrast_and_bright_ones_are_not_lesions():
    masks = discs(10)
    none = mask_following(painted(masks), masks, painted(masks, strength=0), masks)
    assert none["lesion_contrast"] == pytest.approx(0, abs=0.02)
    assert none["mask_iou"] < 0.5
    inverted = mask_following(painted(masks), masks, painted(masks, strength=-1), masks)
    assert inverted["lesion_contrast"] == pytest.approx(-1, abs=0.05)
    assert inverted["mask_iou"] < 0.05


def test_masks_without_both_lesion_and_skin_are_left_out():
    masks = discs(10)
    empty, full = np.zeros_like(masks), np.ones_like(masks)
    more, more_masks = np.concatenate([painted(masks), painted(empty)]), np.concatenate([masks, empty])
    assert mask_following(more, more_masks, more, more_masks) == mask_following(
        painted(masks), masks, painted(masks), masks
    )
    assert mask_following(painted(empty), empty, painted(masks), masks) == {}
    assert mask_following(painted(masks), masks, painted(full), full) == {}


def test_samples_that_are_not_finite_are_left_out():
    masks = discs(10)
    samples, broken = painted(masks, seed=1), painted(masks, seed=2)[:2]
    broken[0, 1, 3, 3], broken[1, 0, 0, 0] = np.nan, np.inf
    expected = mask_following(painted(masks), masks, samples, masks)
    found = mask_following(painted(masks), masks, np.concatenate([samples, broken]), np.concatenate([masks, masks[:2]]))
    assert found == expected
    assert mask_following(painted(masks), masks, broken, masks[:2]) == {}


def test_there_is_no_figure_of_chance_where_all_masks_are_the_same():
    masks = discs(10, count=1).repeat(3, axis=0)
    figures = mask_following(painted(masks[:1]), masks[:1], painted(masks), masks)
    assert set(figures) == {"mask_iou", "mask_iou_real", "lesion_contrast"}
