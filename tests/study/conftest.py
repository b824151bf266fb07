"""Studies and source folders to test on, small enough to be made for every test."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io
from PIL import Image

from napari_hsisynth import Cube
from napari_hsisynth.study import Study

WAVELENGTHS_NM = np.linspace(465, 630, 16)
SHAPE = (24, 32)


def make_cube(seed=0, shape=SHAPE, bands=16):
    values = np.random.default_rng(seed).uniform(0.05, 1.2, (bands, *shape))
    return Cube(values, WAVELENGTHS_NM if bands == 16 else None)


def disc(shape, centre, radius):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2


@pytest.fixture
def make():
    """The makers above, for tests that need more of the same."""
    return SimpleNamespace(
        shape=SHAPE, wavelengths_nm=WAVELENGTHS_NM, cube=make_cube, disc=disc, put_cube=put_cube, put_mask=put_mask
    )


@pytest.fixture
def empty_study(tmp_path):
    return Study.create(tmp_path / "mine", wavelengths_nm=WAVELENGTHS_NM)


@pytest.fixture
def study(empty_study):
    """Three cubes: A with one true mask, B with two lesions, C not marked."""
    empty_study.add_cube(make_cube(1), "A", "melanoma", mask=disc(SHAPE, (10, 12), 4))
    labels = disc(SHAPE, (6, 6), 3) * 1 + disc(SHAPE, (16, 24), 5) * 2
    empty_study.add_cube(make_cube(2), "B", "dysplastic_nevus", mask=labels)
    empty_study.add_cube(make_cube(3), "C", "nevus")
    return empty_study


def put_cube(folder: Path, stem: str, shape=SHAPE, seed=0, bands=16, variable="DataCubeC"):
    folder.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).uniform(0.05, 1.2, (*shape, bands)).astype(np.float32)
    scipy.io.savemat(folder / f"{stem}.mat", {variable: values})
    return values


def put_mask(folder: Path, name: str, mask):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(mask).astype(np.uint8) * 255).save(folder / f"{name}.png")


@pytest.fixture
def source(tmp_path):
    """A folder in the layout of HSIDermoscopy with one cube of each kind of name."""
    src = tmp_path / "source"
    images, masks = src / "images", src / "masks"
    put_cube(images / "DNCube", "DN_1", seed=1)
    put_mask(masks / "DNCube", "DN_1_mask", disc(SHAPE, (10, 10), 5))
    put_cube(images / "MMCube", "MM_1", seed=2, variable="cube")
    put_mask(masks / "MMCube", "MM_1_crop01_mask", disc(SHAPE, (16, 24), 4))
    put_mask(masks / "MMCube", "MM_1_crop00_mask", disc(SHAPE, (6, 6), 3))
    for number, stem in enumerate(["Lentigo_1", "IEC_1", "Nv_1", "SK1", "Melt_1"]):
        put_cube(images / "OtherCube", stem, seed=10 + number, variable="data")
    return src
