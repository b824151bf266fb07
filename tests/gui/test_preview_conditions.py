"""Previews of conditioned models: the border of the mask that was asked for, and the RGB image above what was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor

from napari_hsisynth.errors import InputError
from napari_hsisynth.widgets.preview import load_preview
from napari_hsisynth.widgets.preview_grid import PreviewGrid
from napari_hsisynth.widgets.tile_list import TileList, mask_border

NM = np.linspace(465, 630, 16)
GREY = 0.4


def preview_file(folder: Path, **more: np.ndarray) -> Path:
    """Three flat grey samples, and what they were asked for."""
    samples = np.full((3, 16, 8, 8), GREY, np.float32)
    np.savez(folder / "p.npz", samples=samples, wavelengths_nm=NM, **more)
    return folder / "p.npz"


def masks() -> np.ndarray:
    found = np.zeros((3, 8, 8), bool)
    found[:, 2:6, 2:6] = True
    return found


def rgb() -> np.ndarray:
    """Red, green and blue."""
    return np.broadcast_to(np.eye(3, dtype=np.float32)[:, :, None, None], (3, 3, 8, 8))


def pixel(tiles: TileList, row: int, y: float, x: float) -> tuple[int, int, int]:
    """Colour of a picture at a part of its height and width."""
    size = tiles.iconSize()
    image = tiles.item(row).icon().pixmap(size).toImage()
    colour = QColor(image.pixel(int(x * (image.width() - 1)), int(y * (image.height() - 1))))
    return colour.red(), colour.green(), colour.blue()


@pytest.fixture
def grid(qtbot) -> PreviewGrid:
    grid = PreviewGrid()
    qtbot.addWidget(grid)
    grid.resize(360, 400)
    grid.show()
    grid.clear("run", "#D55E00")
    return grid


def shown(grid: PreviewGrid, qtbot, path: Path) -> TileList:
    with qtbot.waitSignal(grid.shown, timeout=10_000):
        grid.add(100, path)
    return grid.list


def test_the_mask_that_was_asked_for_is_outlined_and_can_be_hidden(grid: PreviewGrid, qtbot, tmp_path: Path) -> None:
    tiles = shown(grid, qtbot, preview_file(tmp_path, sample_masks=masks()))
    assert grid.outlines.isVisible()
    assert grid.outlines.isChecked()
    assert grid.outlines.accessibleName()
    ground = pixel(tiles, 0, 0.15, 0.15)
    assert pixel(tiles, 0, 0.5, 0.5) == ground  # the inside stays to be seen
    side = [pixel(tiles, 0, 0.5, x) for x in np.linspace(0.2, 0.3, 12)]  # the border is at a quarter
    assert max(min(one) for one in side) > 230  # light
    assert min(max(one) for one in side) < 60  # on dark
    assert "border of the lesion" in tiles.item(0).data(Qt.ItemDataRole.AccessibleTextRole)
    grid.outlines.setChecked(False)
    assert {pixel(tiles, 0, 0.5, x) for x in np.linspace(0.2, 0.3, 12)} == {ground}
    assert tiles.item(0).data(Qt.ItemDataRole.AccessibleTextRole) == "sample 1"


def test_the_rgb_image_is_above_what_was_made_of_it(grid: PreviewGrid, qtbot, tmp_path: Path) -> None:
    tiles = shown(grid, qtbot, preview_file(tmp_path, sample_rgb=rgb()))
    side = tiles.iconSize().width()
    assert tiles.iconSize() == QSize(side, 2 * side)
    for row, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        assert pixel(tiles, row, 0.25, 0.5) == colour
        made = pixel(tiles, row, 0.75, 0.5)
        assert max(made) - min(made) < 20  # grey
        assert "below the RGB image" in tiles.item(row).data(Qt.ItemDataRole.AccessibleTextRole)
    assert not grid.outlines.isVisible()
    shown(grid, qtbot, preview_file(tmp_path))  # of another run, which makes cubes of noise
    assert tiles.iconSize() == QSize(side, side)


@pytest.mark.parametrize(
    "more",
    [
        {"sample_masks": np.zeros((2, 8, 8), bool)},
        {"sample_masks": np.zeros((3, 9, 8), bool)},
        {"sample_rgb": np.zeros((3, 8, 8), np.float32)},
        {"sample_rgb": np.zeros((4, 3, 8, 8), np.float32)},
    ],
)
def test_what_does_not_fit_the_samples_is_refused(tmp_path: Path, more: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match="cannot be read as a preview"):
        load_preview(preview_file(tmp_path, **more), 1)


@settings(max_examples=25, deadline=None)
@given(mask=arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_the_border_of_a_mask_is_closed_and_encloses_it(mask: np.ndarray) -> None:
    sides = mask_border(mask)
    assert (np.abs(sides[:, 2:] - sides[:, :2]).sum(axis=1) == 1).all()  # each is one pixel long
    _, meet = np.unique(np.concatenate([sides[:, :2], sides[:, 2:]]), axis=0, return_counts=True)
    assert (meet % 2 == 0).all()
    neighbours = sum(int((mask[:-1] & mask[1:]).sum()) for mask in (mask, mask.T))
    assert len(sides) == 4 * mask.sum() - 2 * neighbours
