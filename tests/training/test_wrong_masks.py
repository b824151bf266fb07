"""Every image gets another one's mask, counted as wrong as it is, and the same one in any number of processes."""

from types import SimpleNamespace

import torch

from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.recipes.wrong_masks import wrong_masks

ALONE = SimpleNamespace(world_size=1)


def a_batch(masks, classes=None):
    classes = torch.zeros(len(masks), dtype=torch.int64) if classes is None else torch.tensor(classes)
    return Batch(torch.zeros(len(masks), 2, *masks.shape[1:]), masks, classes)


def columns(*counts, side=4):
    """Masks of so many columns from the left."""
    return torch.stack([(torch.arange(side) < count).expand(side, -1) for count in counts])


def test_a_wrong_mask_counts_by_what_it_lacks_of_the_right_one():
    wrong = wrong_masks(ALONE, a_batch(columns(1, 2, 4, 0)))
    assert torch.equal(wrong.masks, columns(2, 4, 0, 1))
    torch.testing.assert_close(wrong.wrongness, torch.tensor([1 / 2, 1 / 2, 1.0, 1.0]))


def test_the_same_mask_is_not_wrong_but_a_lesion_of_another_class_is():
    wrong = wrong_masks(ALONE, a_batch(columns(2, 2, 2), classes=[0, 0, 1]))
    assert wrong.classes.tolist() == [0, 1, 0]
    assert wrong.wrongness.tolist() == [0.0, 1.0, 1.0]
    assert wrong_masks(ALONE, a_batch(columns(0, 0))).wrongness.tolist() == [0.0, 0.0]


def test_a_single_image_has_no_wrong_mask():
    assert wrong_masks(ALONE, a_batch(columns(2))).wrongness.tolist() == [0.0]


def test_several_processes_pair_images_as_one_does():
    torch.manual_seed(0)
    whole = a_batch(torch.rand(6, 5, 5) < 0.5, classes=[0, 1, 0, 0, 1, 1])
    expected = wrong_masks(ALONE, whole)
    for rank in range(3):
        rows = slice(2 * rank, 2 * rank + 2)
        share = Batch(whole.images[rows], whole.masks[rows], whole.classes[rows], total=6, first=rows.start)
        of_all = {torch.uint8: whole.masks.byte().unflatten(0, (3, 2)), torch.int64: whole.classes.unflatten(0, (3, 2))}
        fabric = SimpleNamespace(world_size=3, all_gather=lambda mine, of_all=of_all: of_all[mine.dtype])
        for mine, theirs in zip(wrong_masks(fabric, share), expected, strict=True):
            assert torch.equal(mine, theirs[rows])
