"""A lesion put among others: who has the pixels that both would have."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_hsisynth.segment.overlaps import placed

LABELS = arrays(np.uint16, (6, 7), elements=st.integers(0, 3))
MASKS = arrays(bool, (6, 7))


@given(LABELS, MASKS, st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_every_pixel_is_accounted_for(labels, mask, number):
    others = (labels > 0) & (labels != number)
    taking = placed(labels, mask, number, takes_overlaps=True)
    assert np.array_equal(taking.labels == number, mask)
    for other in {1, 2, 3} - {number}:
        before, after = labels == other, taking.labels == other
        assert (after <= before).all()
        met = int((before & mask).sum())
        if other in taking.swallowed:
            assert not after.any()
            assert before.sum() - met < 0.1 * before.sum()
        else:
            assert taking.taken.get(other, 0) == met == before.sum() - after.sum()
    leaving = placed(labels, mask, number, takes_overlaps=False)
    assert np.array_equal(leaving.labels[others], labels[others]), "earlier lesions keep what they have"
    assert np.array_equal(leaving.labels == number, mask & ~others)
    assert leaving.area_px + sum(leaving.left.values()) == mask.sum()


def test_what_happened_is_said():
    labels = np.zeros((10, 20), np.uint16)
    labels[:, :10], labels[:, 15:] = 1, 2
    mask = np.zeros(labels.shape, bool)
    mask[:, 5:20] = True
    mask[0, 19] = False
    taking = placed(labels, mask, 3, takes_overlaps=True)
    assert taking.text() == "took 50 px from lesion 1; lesion 2 is gone: hardly anything of it was left"
    assert placed(labels, mask, 3, takes_overlaps=False).text() == "left 50 px to lesion 1; left 49 px to lesion 2"
    assert placed(labels, labels == 1, 1, takes_overlaps=True).text() == ""
