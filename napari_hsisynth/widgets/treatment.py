"""`Treatment`: what spectra go through before they are drawn: smoothing, a transform, a comparison with one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.spectra import TRANSFORM_LABELS, TRANSFORMS, difference, ratio, resample, smooth

#: Bands per window that are offered; 0 is off.
WINDOWS = (0, 3, 5, 7, 9, 11)
Mode = Literal["difference", "ratio"]
MODES: tuple[Mode, ...] = ("difference", "ratio")
_LONGEST_NAME = 18


@dataclass(frozen=True, eq=False)
class Relative:
    """The spectrum that others are compared with.

    Parameters
    ----------
    name : str
        For people: ``"pin 1"``.
    mode : {"difference", "ratio"}
        Others minus it, or divided by it.
    wavelengths_nm, values : ndarray, shape (bands,)
        As measured, before any treatment; wavelengths ascend.
    """

    name: str
    mode: Mode
    wavelengths_nm: NDArray[np.float64]
    values: NDArray[np.float64]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Relative) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[str, str, bytes, bytes]:
        return self.name, self.mode, self.wavelengths_nm.tobytes(), self.values.tobytes()


@dataclass(frozen=True)
class Treatment:
    """Smoothing first, then the transform, then the difference or ratio to a spectrum that went through both as well.

    Parameters
    ----------
    transform : str
        A key of `spectra.TRANSFORMS`.
    window : int
        Bands per window of the smoothing; 0 for none.
    relative : Relative, optional

    Notes
    -----
    Two treatments that do the same are equal, so that what was computed for one serves the other.
    """

    transform: str = "raw"
    window: int = 0
    relative: Relative | None = None
    _compared: dict[bytes, NDArray[np.float64]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_raw(self) -> bool:
        """Whether values stay as they are."""
        return self.transform == "raw" and not self.window and self.relative is None

    def apply(self, spectra: NDArray[Any], wavelengths_nm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return treated spectra (bands, ...), float64; NaN where that cannot be done.

        Parameters
        ----------
        spectra : ndarray, shape (bands, ...)
        wavelengths_nm : ndarray, shape (bands,)
        """
        found = self._alone(spectra, wavelengths_nm)
        if self.relative is None:
            return found
        compare = difference if self.relative.mode == "difference" else ratio
        return compare(found, self._reference(wavelengths_nm))

    def bands(self, wavelengths_nm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return the bands that can have values: those that the spectrum to compare with has; bool, shape (bands,)."""
        if self.relative is None:
            return np.ones(len(wavelengths_nm), bool)
        known = np.isfinite(self._reference(wavelengths_nm))
        return known if self.relative.mode == "difference" else known & (self._reference(wavelengths_nm) != 0)

    def _alone(self, spectra: NDArray[Any], wavelengths_nm: NDArray[np.float64]) -> NDArray[np.float64]:
        try:
            if self.window:
                spectra = smooth(spectra, wavelengths_nm, window=self.window)
            return TRANSFORMS[self.transform](spectra, wavelengths_nm)
        except InputError:  # a single band has no derivative
            return np.full(np.shape(spectra), np.nan)

    def _reference(self, wavelengths_nm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the spectrum to compare with, treated, on these wavelengths."""
        assert self.relative is not None
        key = wavelengths_nm.tobytes()
        if key not in self._compared:
            values = self.relative.values
            if not np.array_equal(self.relative.wavelengths_nm, wavelengths_nm):
                try:
                    values = resample(values, self.relative.wavelengths_nm, wavelengths_nm)
                except InputError:  # two of its bands share a wavelength
                    values = np.full(len(wavelengths_nm), np.nan)
            self._compared[key] = self._alone(values, wavelengths_nm)
        return self._compared[key]

    @property
    def label(self) -> str:
        """What the values are, with their unit, for the axis of a plot."""
        label = TRANSFORM_LABELS.get(self.transform, self.transform)
        if self.relative is None:
            return label
        name = self.relative.name
        name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
        if self.relative.mode == "difference":
            return f"{label} − {name}"
        return f"{label.split(' (')[0]} ÷ {name}"  # a ratio has no unit

    def __str__(self) -> str:
        """The same in words, for tables."""
        parts = [self.transform]
        if self.window:
            parts.insert(0, f"smoothed over {self.window} bands")
        if self.relative is not None:
            parts.append(f"{self.relative.mode} to {self.relative.name}")
        return ", ".join(parts)


RAW = Treatment()
