"""Photographs of every common kind come out the right way up, in the right colours, and bad files are named."""

import tracemalloc

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.photos import load_photos, sized_photograph
from napari_hsisynth.training.rgb_sources import PhotoSource

RED, BLUE = (200, 30, 40), (20, 40, 210)
CPU = torch.device("cpu")


def halves(width=64, height=48):
    """Red on the left, blue on the right."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:, : width // 2], picture[:, width // 2 :] = RED, BLUE
    return picture


def corners(image):
    """Colours of the four corners of (3, y, x), from the top left in reading order."""
    return [tuple(int(v) for v in image[:, y, x]) for y in (1, -2) for x in (1, -2)]


def read_photo(path, size):
    """As bytes, which is how they are kept in a training."""
    return (255 * sized_photograph(path, size)).round().astype(np.uint8)


def near(found, expected, within=6):
    return all(
        abs(a - b) <= within
        for one, other in zip(found, expected, strict=True)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.png", "a.tif", "a.bmp"])
def test_every_kind_of_file_is_read(tmp_path, name):
    Image.fromarray(halves()).save(tmp_path / name, **({"quality": 95} if "j" in name.lower() else {}))
    image = read_photo(tmp_path / name, 16)
    assert (image.dtype, image.shape) == (np.uint8, (3, 16, 16))
    assert near(corners(image), [RED, BLUE, RED, BLUE])


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, BLUE] * 2),
        (2, [BLUE, RED] * 2),
        (3, [BLUE, RED] * 2),
        (6, [RED] * 2 + [BLUE] * 2),
        (8, [BLUE] * 2 + [RED] * 2),
    ],
)
def test_the_way_up_is_the_one_the_camera_noted(tmp_path, orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(halves()).save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert near(corners(read_photo(tmp_path / "a.jpg", 16)), expected)


def test_grey_palette_alpha_and_sixteen_bits_are_what_they_look_like(tmp_path):
    Image.fromarray(np.full((20, 20), 90, np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray(np.full((20, 20), 90 * 257, np.uint16)).save(tmp_path / "grey16.png")
    tifffile.imwrite(tmp_path / "rgb16.tif", np.full((20, 20, 3), 90 * 257, np.uint16), photometric="rgb")
    Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).quantize(4).save(tmp_path / "palette.png")
    see_through = np.full((20, 20, 4), 90, np.uint8)
    see_through[..., 3] = 255
    see_through[:, 10:, 3] = 0
    Image.fromarray(see_through).save(tmp_path / "alpha.png")
    for name in ("grey.png", "grey16.png", "rgb16.tif", "palette.png"):
        assert (read_photo(tmp_path / name, 16) == 90).all(), name
    assert near(corners(read_photo(tmp_path / "alpha.png", 16)), [(90, 90, 90), (0, 0, 0)] * 2)


def test_a_photograph_much_larger_than_wanted_is_the_same_in_small(tmp_path):
    Image.fromarray(halves(width=900, height=700)).save(tmp_path / "large.png")
    assert near(corners(read_photo(tmp_path / "large.png", 16)), [RED, BLUE, RED, BLUE])


@pytest.mark.parametrize("factor", [2, 5, 16])
def test_a_large_one_is_averaged_and_cut_at_the_centre(tmp_path, factor):
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    large = np.kron(picture, np.ones((factor, factor, 1), np.uint8))
    wide = np.concatenate([large[:, :factor], large, large[:, :factor]], axis=1)
    Image.fromarray(wide).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png", 16), picture.transpose(2, 0, 1))


def test_areas_are_averaged_in_linear_light(tmp_path):
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    Image.fromarray(checks.astype(np.uint8)).save(tmp_path / "checks.png")
    image = read_photo(tmp_path / "checks.png", 16)
    assert (image == round(255 * (1.055 * 0.5 ** (1 / 2.4) - 0.055))).all()  # 188, and not 128


def test_folders_are_searched_and_bad_files_are_named(tmp_path):
    (tmp_path / "inner").mkdir()
    Image.fromarray(halves()).save(tmp_path / "inner" / "good.jpg")
    Image.fromarray(halves()).save(tmp_path / "good.png")
    (tmp_path / "broken.jpg").write_bytes(b"not a photograph")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "inner" / "good.jpg").read_bytes()[:300])
    tifffile.imwrite(tmp_path / "float.tif", np.random.default_rng(0).normal(size=(9, 9)))
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "._good.png").write_bytes(b"left by another system")
    photos = load_photos(tmp_path, 16)
    assert photos.names == ("good.png", "inner/good.jpg")
    assert photos.images.shape == (2, 3, 16, 16)
    assert [note.split()[0] for note in photos.warnings] == ["broken.jpg", "cut.jpg", "float.tif"]
    assert load_photos(tmp_path, 16).fingerprint == photos.fingerprint
    (tmp_path / "good.png").unlink()
    assert load_photos(tmp_path, 16).fingerprint != photos.fingerprint


def test_loading_takes_little_more_memory_than_the_photographs(tmp_path, monkeypatch):
    size, grey = 64, 7
    for number in range(400):
        (tmp_path / f"{number:03}.png").touch()

    def sized(path, size):
        if path.stem == "001":
            raise InputError("bad")
        return np.full((3, size, size), grey / 255, np.float32)

    monkeypatch.setattr("napari_hsisynth.training.photos.sized_photograph", sized)
    tracemalloc.start()
    photos = load_photos(tmp_path, size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(photos) == 399
    assert (photos.images == grey).all()
    assert peak < 1.5 * photos.images.nbytes


def test_a_folder_without_photographs_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="no such folder of photographs"):
        load_photos(tmp_path / "nowhere", 16)
    with pytest.raises(InputError, match="no such files"):
        load_photos(tmp_path, 16)
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="none of the image files"):
        load_photos(tmp_path, 16)


def test_of_too_many_photographs_some_from_everywhere_are_taken(tmp_path):
    for number in range(7):
        Image.fromarray(np.full((16, 16, 3), 30 * number, np.uint8)).save(tmp_path / f"{number}.png")
    photos = load_photos(tmp_path, 16, most_bytes=3 * 3 * 16**2)
    assert photos.names == ("0.png", "2.png", "4.png")
    assert "7 photographs are too many" in photos.warnings[0]


@pytest.fixture
def source(tmp_path):
    """Seven photographs, each of its own level, brighter on the left and at the top."""
    for number in range(7):
        picture = np.full((16, 16, 3), 30 * number, np.uint8)
        picture[:8, :8] += 20
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    return PhotoSource(load_photos(tmp_path, 16), 3, CPU)


def test_every_photograph_is_shown_once_a_round_in_an_order_that_depends_on_the_place_alone(source):
    shown = torch.cat([source.draw(first, 3)[0] for first in (0, 3, 6, 9)])[:7]
    assert shown.shape == (7, 3, 16, 16)
    assert sorted(shown.amin(dim=(1, 2, 3)).mul(255 / 30).round().int().tolist()) == list(range(7))
    assert source.draw(6, 3)[0].equal(source.draw(6, 3)[0])
    ways = {tuple((image[0] > image[0].min()).nonzero()[0].tolist()) for image in source.draw(0, 60)[0]}
    assert ways == {(0, 0), (0, 8), (8, 0), (8, 8)}


def test_processes_share_what_one_would_have_drawn(source):
    both = torch.cat([source.draw(6, 4, rank=rank, world=2)[0] for rank in (0, 1)])
    assert both.equal(source.draw(6, 4)[0])
    assert source.draw(6, 4)[1] is None  # of unknown diagnosis
