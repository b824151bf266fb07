"""What is said of an augmented image is what was done to it."""

import numpy as np
import torch

from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.labelled_augmentation import LabelledAugmentation
from napari_hsisynth.training.normalisation import Normalisation

SIDE = 16


def a_batch(images, **place):
    return Batch(images, images[:, 0] > 0, torch.zeros(len(images), dtype=torch.int64), **place)


def test_geometry_is_what_the_description_says():
    torch.manual_seed(0)
    image = torch.randn(2, SIDE, SIDE)
    made, labels = LabelledAugmentation(2, 0.4)(a_batch(image.expand(300, 2, SIDE, SIDE).contiguous()))
    seen = set()
    for number, (flip, cos, sin, dx, dy, scale, gain, offset) in enumerate(labels.tolist()):
        if scale or gain or offset:
            continue
        turns = round(np.arctan2(sin, cos + 1) / (np.pi / 2)) % 4
        moved = torch.roll(image, (round(dy * SIDE / 8), round(dx * SIDE / 8)), (1, 2))  # at the borders it reflects
        expected = torch.rot90(moved.flip(2) if flip else moved, turns, (1, 2))
        inside = (slice(None), slice(3, -3), slice(3, -3))
        torch.testing.assert_close(made.images[number][inside], expected[inside], atol=1e-5, rtol=0)
        assert torch.equal(made.masks[number], made.images[number, 0] > 0)
        seen.add((flip, turns))
    assert len(seen) == 8


def test_magnification_is_what_the_description_says():
    torch.manual_seed(0)
    ramp = torch.arange(SIDE) - (SIDE - 1) / 2
    made, labels = LabelledAugmentation(1, 0.5)(a_batch(ramp.expand(200, 1, SIDE, SIDE).contiguous()))
    chosen = (labels[:, 5] != 0) & (labels[:, [0, 1, 2, 6, 7]] == 0).all(dim=1)
    assert chosen.sum() > 3
    slope = made.images[chosen, 0, 7, 9] - made.images[chosen, 0, 7, 8]
    torch.testing.assert_close(slope, 1.25 ** -labels[chosen, 5])


def test_light_is_what_the_description_says():
    normalisation = Normalisation(np.array([0.2, 0.4, 0.5]), np.array([0.05, 0.1, 0.3]))
    augmentation = LabelledAugmentation(3, 0.7)
    augmentation.fit(normalisation)
    spectrum = np.array([0.1, 0.5, 0.9])
    encoded = torch.from_numpy(normalisation.encode(np.broadcast_to(spectrum[:, None, None], (3, 8, 8)))).float()
    torch.manual_seed(0)
    made, labels = augmentation(a_batch(encoded.expand(50, 3, 8, 8).contiguous()))
    gain, offset = labels[:, 6:].double().numpy().T
    assert min(np.ptp(gain), np.ptp(offset)) > 1
    # the unit of an offset is the mean of the bands' standard deviations, 0.15
    expected = spectrum * 1.2 ** gain[:, None] + 0.2 * 0.15 * offset[:, None]
    found = normalisation.decode(made.images.numpy())
    np.testing.assert_allclose(found, np.broadcast_to(expected[..., None, None], found.shape), atol=1e-5)


def test_an_image_that_is_left_alone_is_described_by_zeros():
    images = torch.randn(4, 2, SIDE, SIDE)
    made, labels = LabelledAugmentation(2, 0.0)(a_batch(images))
    torch.testing.assert_close(made.images, images, atol=1e-5, rtol=0)
    assert not labels.any()


def test_processes_see_together_what_one_would():
    augmentation, images = LabelledAugmentation(2, 0.6), torch.randn(6, 2, SIDE, SIDE)
    parts = [a_batch(images)] + [a_batch(images[first : first + 3], total=6, first=first) for first in (0, 3)]
    seen = []
    for part in parts:
        torch.manual_seed(0)
        seen.append(augmentation(part))
    (whole, labels), *halves = seen
    assert torch.equal(whole.images, torch.cat([half.images for half, _ in halves]))
    assert torch.equal(labels, torch.cat([described for _, described in halves]))
    assert labels.any()
