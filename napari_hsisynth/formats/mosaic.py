"""Snapshot-mosaic frames: which pixel of the repeating pattern sees which band, and how to unfold a frame."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError

_COLUMNS = ("band", "centre_nm", "mosaic_row", "mosaic_col")


@dataclass(frozen=True)
class MosaicLayout:
    """The pattern of filters on a snapshot-mosaic sensor.

    Parameters
    ----------
    rows, cols : int
        Size of the repeating pattern, px.
    positions : tuple of (int, int)
        (row, column) in the pattern of each band, in the order of the bands. Every position once.
    centres_nm : tuple of float, optional
        Centre of each band, nm; None if not known, then `positions` go row by row.
    source : str
        Where the layout came from, for the cube's provenance.
    """

    rows: int
    cols: int
    positions: tuple[tuple[int, int], ...]
    centres_nm: tuple[float, ...] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        inside = all(0 <= row < self.rows and 0 <= col < self.cols for row, col in self.positions)
        # counted rather than listed: a wrong number in a table may claim a pattern of any size
        if not inside or not len(self.positions) == len(set(self.positions)) == self.rows * self.cols:
            raise InputError(
                f"a pattern of {self.rows}x{self.cols} needs each of its {self.rows * self.cols} places exactly once",
                where=self.source or "mosaic layout",
            )
        if self.centres_nm is not None and len(self.centres_nm) != len(self.positions):
            raise InputError(
                f"{len(self.centres_nm)} centres for {len(self.positions)} bands", where=self.source or None
            )

    @classmethod
    def plain(cls, rows: int, cols: int) -> MosaicLayout:
        """Return the layout of an unknown camera: bands in the order of the positions, wavelengths unknown."""
        positions = tuple((row, col) for row in range(rows) for col in range(cols))
        return cls(rows, cols, positions, source=f"{rows}x{cols}")

    @classmethod
    def from_csv(cls, path: str | PathLike[str]) -> MosaicLayout:
        """Read a table with the columns ``band, centre_nm, mosaic_row, mosaic_col``; bands are sorted by wavelength.

        Lines that begin with ``#`` and other columns are passed over; rows and columns count from 0.

        Raises
        ------
        InputError
            If the file cannot be read, a column is missing, a value is no number, or a position is missing or doubled.
        """
        path = Path(path)
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except OSError as error:
            raise InputError(
                f"cannot be read: {error.strerror}", where=path, fix="give 4x4 or a layout's CSV"
            ) from error
        except UnicodeDecodeError:
            raise InputError("not a text file", where=path, fix="give 4x4 or a layout's CSV") from None
        reader = csv.DictReader(line for line in lines if line.strip() and not line.startswith("#"))
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise InputError(
                f"columns missing: {', '.join(missing)}", where=path, fix=f"a layout has {','.join(_COLUMNS)}"
            )
        bands = []
        for row in reader:
            try:
                place = (float(row["centre_nm"]), int(row["mosaic_row"]), int(row["mosaic_col"]))
            except (TypeError, ValueError):
                raise InputError(f"band {row['band']}: not a number in {list(row.values())}", where=path) from None
            if not (np.isfinite(place[0]) and place[0] > 0):
                raise InputError(f"band {row['band']}: {place[0]:g} is not a wavelength in nm", where=path)
            bands.append(place)
        if not bands:
            raise InputError("the layout has no bands", where=path)
        bands.sort()
        return cls(
            rows=1 + max(row for _, row, _ in bands),
            cols=1 + max(col for _, _, col in bands),
            positions=tuple((row, col) for _, row, col in bands),
            centres_nm=tuple(centre for centre, _, _ in bands),
            source=path.name,
        )

    def unfold(self, frame: NDArray[Any]) -> NDArray[Any]:
        """Gather the pixels of each band.

        Parameters
        ----------
        frame : ndarray, shape (rows * y, cols * x)

        Returns
        -------
        ndarray, shape (bands, y, x)
            Same dtype; nothing is interpolated, so that bands stay shifted against each other by parts of a pixel.

        Raises
        ------
        InputError
            If the frame is not 2-D or does not hold whole patterns.
        """
        if frame.ndim != 2 or 0 in frame.shape or frame.shape[0] % self.rows or frame.shape[1] % self.cols:
            raise InputError(
                f"a frame of {frame.shape} px does not hold whole {self.rows}x{self.cols} patterns",
                fix="give the raw, uncropped frame of the sensor",
            )
        return np.stack([frame[row :: self.rows, col :: self.cols] for row, col in self.positions])


def find_layout(
    mosaic: str | PathLike[str] | None, layout: MosaicLayout | str | PathLike[str] | None
) -> MosaicLayout | None:
    """Return the layout that the user asked for, None if none was.

    Parameters
    ----------
    mosaic : str or path-like, optional
        ``"4x4"`` (rows x columns) or the path of a layout's CSV.
    layout : MosaicLayout or path-like, optional
        The layout itself or its CSV; must agree with `mosaic` where both are given.
    """
    size = None
    if mosaic is not None:
        size = re.fullmatch(r"([1-9]\d?)x([1-9]\d?)", str(mosaic))
        if size is None and layout is None:
            if not Path(mosaic).exists():
                raise InputError(f"'{mosaic}' is neither a pattern like 4x4 nor a layout's CSV", where="mosaic")
            layout = mosaic
    if layout is not None and not isinstance(layout, MosaicLayout):
        layout = MosaicLayout.from_csv(layout)
    if size is None:
        return layout
    rows, cols = int(size[1]), int(size[2])
    if layout is None:
        return MosaicLayout.plain(rows, cols)
    if (layout.rows, layout.cols) != (rows, cols):
        raise InputError(f"the layout is {layout.rows}x{layout.cols}, not {rows}x{cols}", where=layout.source)
    return layout
