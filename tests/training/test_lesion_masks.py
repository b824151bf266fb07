"""Masks of any kind come as training has those of crops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.lesion_masks import check, read_mask, resized_mask


@pytest.fixture
def mask():
    """A disc of 16 x 16 px."""
    y, x = np.ogrid[:16, :16]
    return (y - 6) ** 2 + (x - 9) ** 2 < 20


def test_every_kind_of_file_says_the_same(tmp_path, mask):
    labels = mask.astype(np.uint16) * 3
    labels[7:] *= 2
    colours = np.zeros((16, 16, 4), np.uint8)
    colours[..., 3] = 255
    colours[..., 1] = 255 * mask
    palette = Image.fromarray(mask.astype(np.uint8)).convert("P")
    pictures = {
        "a.png": Image.fromarray(mask.astype(np.uint8) * 255),
        "one.png": Image.fromarray(mask.astype(np.uint8)),
        "bit.png": Image.fromarray(mask),
        "labels.png": Image.fromarray(labels),
        "labels.tif": Image.fromarray(labels),
        "colours.png": Image.fromarray(colours),
        "grey alpha.png": Image.fromarray(colours[..., [1, 3]]),
        "palette.png": palette,
        "a.bmp": Image.fromarray(mask.astype(np.uint8) * 255),
    }
    for name, picture in pictures.items():
        picture.save(tmp_path / name)
    np.save(tmp_path / "a.npy", mask)
    np.save(tmp_path / "float.npy", np.where(mask, 0.5, np.where(np.arange(16) == 0, np.nan, 0))[None])
    np.savez(tmp_path / "a.npz", labels)
    np.savez(tmp_path / "crop.npz", cube=np.zeros((3, 16, 16)), mask=mask)
    for path in sorted(tmp_path.iterdir()):
        np.testing.assert_array_equal(read_mask(path, 16), mask, err_msg=path.name)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 4), st.integers(0, 8), st.booleans())
def test_masks_are_scaled_by_the_shorter_side_and_cut_at_the_centre(factor, margin, upright):
    y, x = np.ogrid[:16, :16]
    mask = (y - 6) ** 2 + (x - 9) ** 2 < 20
    large = np.kron(mask, np.ones((factor, factor), bool))
    large = np.pad(large, ((0, 0), (margin * factor, margin * factor)), constant_values=True)
    found = resized_mask(large.T if upright else large, 16)
    np.testing.assert_array_equal(found, mask.T if upright else mask)


def test_half_a_pixel_is_lesion():
    mask = np.zeros((4, 4), bool)
    mask[0, :2] = mask[2, 2] = True
    np.testing.assert_array_equal(resized_mask(mask, 2), [[True, False], [False, False]])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("cube.npy", np.ones((3, 16, 16))),
        ("words.npy", np.array([["a", "b"]])),
        ("several.npz", {"a": np.ones((4, 4)), "b": np.ones((4, 4))}),
        ("objects.npy", np.array([{"a": 1}], dtype=object)),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, name, values):
    path = tmp_path / name
    if isinstance(values, dict):
        np.savez(path, **values)
    else:
        np.save(path, values, allow_pickle=True)
    with pytest.raises(InputError, match=f"{name}: the mask cannot be read"):
        read_mask(path, 16)


def test_a_mask_needs_lesion_and_skin(mask):
    assert check(mask, where="a") is mask
    for bad, said in ((mask & False, "a: no lesion"), (mask | True, "a: lesion everywhere")):
        with pytest.raises(InputError, match=said):
            check(bad, where="a")
