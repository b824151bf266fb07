import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import MosaicLayout, read_cube

HEADER = "band,centre_nm,mosaic_row,mosaic_col\n"


@pytest.fixture
def frame(tmp_path):
    """Write a frame of two 2x3 patterns by three; its pixel values are row * 100 + column."""
    values = (100 * np.arange(4)[:, None] + np.arange(9)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "frame.tif", values)
    return tmp_path / "frame.tif"


def layout_csv(tmp_path, text):
    path = tmp_path / "layout.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_frame_of_true_size_unfolds_to_the_size_of_hsidermoscopy(tmp_path):
    frame = np.random.default_rng(0).integers(0, 256, (1024, 2048), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.TIF", frame)
    cube = read_cube(tmp_path / "a.TIF", mosaic="4x4")
    expected = frame.reshape(256, 4, 512, 4).transpose(1, 3, 0, 2).reshape(16, 256, 512)
    np.testing.assert_array_equal(cube.data, expected)
    assert not cube.wavelengths_known
    assert cube.axis_label == "band"  # and not the even grid, which would be a lie about the order
    assert any("order of the mosaic" in note and "unknown" in note for note in cube.notes)
    assert (cube.provenance["dtype"], cube.provenance["mosaic"]) == ("uint8", "4x4")


def test_a_layout_sorts_bands_by_wavelength(frame, tmp_path):
    rows = ["0,500,0,0", "1,560,0,1", "2,480,0,2", "3,610,1,0", "4,600,1,1", "5,530,1,2"]
    path = layout_csv(tmp_path, "# measured\n\n" + HEADER + "\n".join(rows))
    for cube in (read_cube(frame, mosaic=path), read_cube(frame, mosaic="2x3", layout=path)):
        assert cube.wavelengths_nm.tolist() == [480, 500, 530, 560, 600, 610]
        assert cube.wavelengths_known
        assert cube.notes == ()
        assert cube.data[:, 1, 2].tolist() == [208, 206, 308, 207, 307, 306]
        assert cube.provenance["mosaic_positions"][0] == [0, 2]


def test_given_wavelengths_name_the_positions(frame):
    cube = read_cube(frame, mosaic="2x3", wavelengths_nm=[500, 510, 520, 530, 540, 550])
    assert cube.wavelengths_known
    assert cube.data[:, 0, 0].tolist() == [0, 1, 2, 100, 101, 102]
    with pytest.raises(InputError, match="5 wavelengths for 6 bands"):
        read_cube(frame, mosaic="2x3", wavelengths_nm=[500, 510, 520, 530, 540])


def test_a_2d_tiff_is_no_cube_until_the_user_says_so(frame):
    with pytest.raises(InputError, match=r"frame\.tif: not a cube.*4 x 9 px.*--mosaic 4x4"):
        read_cube(frame)


@pytest.mark.parametrize("mosaic", ["4x4", "2x2", "9x9"])
def test_frames_that_hold_no_whole_patterns_are_refused(frame, mosaic):
    with pytest.raises(InputError, match="does not hold whole"):
        read_cube(frame, mosaic=mosaic)


@pytest.mark.parametrize("mosaic", ["4", "0x4", "4x", "axb", "missing.csv", "100x100"])
def test_words_that_are_no_pattern_are_refused(frame, mosaic):
    with pytest.raises(InputError, match="neither a pattern like 4x4 nor"):
        read_cube(frame, mosaic=mosaic)


def test_a_layout_that_contradicts_the_pattern_is_refused(frame, tmp_path):
    path = layout_csv(tmp_path, HEADER + "0,500,0,0\n1,510,0,1\n")
    with pytest.raises(InputError, match="the layout is 1x2, not 2x3"):
        read_cube(frame, mosaic="2x3", layout=path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns missing: band, centre_nm"),
        ("band,centre_nm\n0,500\n", "columns missing: mosaic_row, mosaic_col"),
        (HEADER, "no bands"),
        (HEADER + "0,five,0,0\n", "band 0: not a number"),
        (HEADER + "0,500,0\n", "band 0: not a number"),
        (HEADER + "0,nan,0,0\n", "not a wavelength"),
        (HEADER + "0,-5,0,0\n", "not a wavelength"),
        (HEADER + "0,500,0,0\n1,510,0,0\n", "exactly once"),
        (HEADER + "0,500,0,0\n1,510,1,1\n", "exactly once"),
        (HEADER + "0,500,-1,0\n1,510,0,0\n", "exactly once"),
        (HEADER + "0,500,999999999,999999999\n", "exactly once"),
    ],
)
def test_layouts_that_cannot_be_are_refused(frame, tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_cube(frame, mosaic=layout_csv(tmp_path, text))


def test_a_layout_that_is_no_text_or_not_readable_is_refused(frame, tmp_path):
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        read_cube(frame, mosaic=tmp_path / "b.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_cube(frame, mosaic=tmp_path)


def test_a_layout_is_refused_for_other_formats(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((16, 4, 4)))
    with pytest.raises(InputError, match="for raw frames"):
        read_cube(tmp_path / "a.npy", mosaic="4x4")


@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4)),
    data=st.data(),
)
def test_unfolding_loses_no_pixel_and_puts_each_where_the_layout_says(size, data):
    rows, cols, y, x = size
    frame = data.draw(arrays(np.uint8, (rows * y, cols * x)))
    positions = data.draw(st.permutations([(row, col) for row in range(rows) for col in range(cols)]))
    cube = MosaicLayout(rows, cols, tuple(positions)).unfold(frame)
    folded = np.empty_like(frame)
    for band, (row, col) in enumerate(positions):
        for i in range(y):
            for j in range(x):
                folded[i * rows + row, j * cols + col] = cube[band, i, j]
    np.testing.assert_array_equal(folded, frame)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_stack_of_pages_is_read_page_by_page(tmp_path, big, compression):
    stack = np.random.default_rng(0).normal(size=(5, 20, 31)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tiff", stack, bigtiff=big, compression=compression, photometric="minisblack")
    cube = read_cube(tmp_path / "a.tiff")
    np.testing.assert_array_equal(cube.data, stack)
    assert not cube.wavelengths_known
    assert read_cube(tmp_path / "a.tiff", wavelengths_nm=range(500, 505)).wavelengths_known


def test_a_colour_picture_is_no_cube(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30, 3), np.uint8), photometric="rgb")
    with pytest.raises(InputError, match="not a cube: its pages are YXS uint8"):
        read_cube(tmp_path / "a.tif")


def test_pages_of_different_sizes_are_no_cube(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.zeros((20, 30), np.uint8))
        writer.write(np.zeros((10, 15), np.uint8))
    with pytest.raises(InputError, match="page 1 has another size"):
        read_cube(tmp_path / "a.tif")


@pytest.mark.skipif("HSISYNTH_TEST_DATA" not in os.environ, reason="HSISYNTH_TEST_DATA is not set")
def test_all_bands_of_a_real_frame_show_the_same_scene():
    frames = sorted((Path(os.environ["HSISYNTH_TEST_DATA"]) / "mosaic16").glob("*.tif"))
    assert len(frames) == 4
    for path in frames:
        cube = read_cube(path, mosaic="4x4")
        assert cube.data.shape == (16, 256, 512)
        # a wrong unfolding mixes bands or neighbours and breaks the likeness of the bands
        between = np.corrcoef(cube.data.reshape(16, -1))
        assert between.min() > 0.5
        right = np.corrcoef(cube.data[0, :, :-1].ravel(), cube.data[0, :, 1:].ravel())[0, 1]
        assert right > 0.8
