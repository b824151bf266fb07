"""Run lengths of COCO and of Label Studio, against pycocotools, published vectors, and a decoder of its own."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as pycoco

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.exchange import brush_rle, coco_rle

MASKS = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def by_pycocotools(mask):
    return pycoco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()


@settings(max_examples=60, deadline=None)
@given(mask=MASKS)
def test_coco_counts_are_those_of_pycocotools_bit_for_bit(mask):
    counts = coco_rle.counts_of(mask)
    packed = coco_rle.packed(counts)
    assert packed == by_pycocotools(mask)
    assert coco_rle.unpacked(packed, mask.size + 1) == counts
    np.testing.assert_array_equal(coco_rle.mask_of(counts, mask.shape), mask)
    of_counts = pycoco.frPyObjects({"size": list(mask.shape), "counts": counts}, *mask.shape)
    np.testing.assert_array_equal(pycoco.decode(of_counts).astype(bool), mask)


def test_coco_counts_of_a_large_mask():
    mask = np.zeros((700, 900), bool)
    mask[3:650, 20:880] = True  # long runs, and differences of both signs
    mask[100:140, 400:403] = False
    packed = coco_rle.packed(coco_rle.counts_of(mask))
    assert packed == by_pycocotools(mask)
    np.testing.assert_array_equal(coco_rle.mask_of(coco_rle.unpacked(packed, mask.size), mask.shape), mask)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([3, 2], "cover 5 px, the image has 6"),
        ([3, 4], "cover 7 px, the image has 6"),
        ([8, -2], "run length -2 is not"),
        ([3, 3.0], r"run length 3\.0 is not"),
        ([5, True], "run length True is not"),
        ([3, "3"], "run length 3 is not"),
        ([10**300], "the image has 6"),
        ([], "cover 0 px"),
    ],
)
def test_counts_that_do_not_fit_the_image_are_refused(counts, message):
    with pytest.raises(InputError, match=message):
        coco_rle.mask_of(counts, (2, 3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2\u00e9", "damaged"),
        ("2 ", "damaged"),
        ("oooooooooo0", "damaged"),
        ("2o", "cut off"),
        ("0" * 99, "more run lengths"),
    ],
)
def test_packed_counts_that_are_damaged_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        coco_rle.unpacked(text, 7)


# --- Label Studio

#: From the tests of Label Studio's converter, and of the package whose format it is (3-bit words, two sets of sizes).
CONVERTER = [0, 0, 0, 18, 57, 27, 252, 96, 32, 1, 0, 6, 0, 40, 0, 192, 3, 128, 17, 56, 32]
RLE_PACK = [
    [0, 0, 4, 0, 17, 27, 255, 1, 255, 18, 24, 212, 78, 24, 5, 134, 68, 227, 82, 30, 3, 196, 0],
    [0, 0, 4, 0, 16, 9, 199, 255, 140, 134, 234, 206, 96, 89, 150, 119, 89, 15, 241, 0],
]


def bit_by_bit(stream):
    """Decode a stream as its description says, reading one character per bit."""
    bits = "".join(f"{byte:08b}" for byte in stream)
    at = 0

    def read(count):
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    words, word_bits = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    out = []
    while len(out) < words:
        repeated = read(1)
        count = read(sizes[read(2)]) + 1
        out += [read(word_bits)] * count if repeated else [read(word_bits) for _ in range(count)]
    return out


def test_published_vectors_of_the_brush_format():
    values = [1, 2, 3, 5, 6, 7, 8, 4]
    assert brush_rle.pack(values, [4, 1, 1, 1, 1, 1, 1, 8]) == CONVERTER
    np.testing.assert_array_equal(brush_rle.unpack(bytes(CONVERTER), 18), np.repeat(values, [4, 1, 1, 1, 1, 1, 1, 8]))
    source = np.zeros(1024, int)
    source[512:541] = np.repeat([1, 2, 3, 4, 5, 4, 3, 2, 1], [5, 4, 3, 2, 1, 2, 3, 4, 5])
    for stream in RLE_PACK:
        np.testing.assert_array_equal(brush_rle.unpack(bytes(stream), 1024), source)


@settings(max_examples=60, deadline=None)
@given(mask=MASKS)
def test_brushes_are_four_channels_of_every_pixel(mask):
    stream = brush_rle.encoded(mask)
    assert all(0 <= byte <= 255 for byte in stream)
    assert bit_by_bit(stream) == np.repeat(mask.ravel() * 255, 4).tolist()
    np.testing.assert_array_equal(brush_rle.decoded(stream, mask.shape), mask)


def test_runs_longer_than_the_longest_are_cut():
    mask = np.zeros((300, 400), bool)
    mask[1:299] = True
    np.testing.assert_array_equal(brush_rle.decoded(brush_rle.encoded(mask), mask.shape), mask)
    assert bit_by_bit(brush_rle.encoded(mask)) == np.repeat(mask.ravel() * 255, 4).tolist()


def test_only_alpha_counts_and_half_transparent_edges_belong_to_the_mask():
    pixels = [(9, 8, 7, 0), (9, 8, 7, 1), (0, 0, 0, 255), (255, 255, 255, 0)]
    stream = brush_rle.pack([value for pixel in pixels for value in pixel], [1] * 16)
    assert brush_rle.decoded(stream, (2, 2)).tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "no list"),
        ("0123", "no list"),
        ([0, 0, 0], "cut off"),
        ([0.5], "numbers from 0 to 255"),
        ([256], "numbers from 0 to 255"),
        ([-1], "numbers from 0 to 255"),
        ([10**400], "numbers from 0 to 255"),
        (brush_rle.pack([255], [4]), "holds 4 values, the image needs 24"),
        ([255] * 40, "holds 4,294,967,295 values"),  # declares 4 GiB and gets none
        (brush_rle.encoded(np.eye(2, 3, dtype=bool))[:-1], "cut off"),
        (brush_rle.encoded(np.eye(2, 3, dtype=bool))[:8], "cut off"),
        ([*brush_rle.pack([0], [24])[:6], 0b11111111, 255, 255, 255, 255], "beyond the image"),
    ],
)
def test_brushes_that_do_not_fit_the_image_are_refused(data, message):
    with pytest.raises(InputError, match=message):
        brush_rle.decoded(data, (2, 3))


@settings(max_examples=80, deadline=None)
@given(stream=st.binary(max_size=60), known_head=st.booleans())
def test_any_bytes_give_a_mask_or_one_clear_error(stream, known_head):
    head = bytes(brush_rle.pack([0], [24])[:6]) if known_head else b""
    with contextlib.suppress(InputError):
        assert brush_rle.decoded(list(head + stream), (2, 3)).shape == (2, 3)
