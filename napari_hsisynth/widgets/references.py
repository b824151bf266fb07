"""`References`: absorbers of skin and spectra of libraries, laid over the spectra of a cube as dotted curves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.notifications import show_warning
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_hsisynth.errors import InputError
from napari_hsisynth.optics import absorbers, scaled_to
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.curves import Curve
from napari_hsisynth.widgets.treatment import Treatment

#: Blood is red, with less oxygen bluer, melanin is brown.
_ABSORBER_COLOURS = {"oxyhaemoglobin": "#d1495b", "deoxyhaemoglobin": "#6d7fc4", "melanin": "#a0764e"}
#: Colours of library spectra, in turn: P. Tol's muted scheme without what diagnoses and pins have.
_LIBRARY_COLOURS = ("#44aa99", "#aa4499", "#999933", "#88ccee", "#cc6677", "#117733", "#8866bb", "#ddcc77")
#: More spectra of one library than this make no readable plot.
MOST_SPECTRA = 20
SCALED = "scaled to view"
#: Where others have a cube or a library: what absorbers show.
ABSORPTION = "absorption"
#: Part of the view that stays free above and below a curve that is scaled to it.
_FREE = 0.06
_STEP_NM = 1.0


@dataclass(eq=False)
class Library:
    """A spectral library, and what is shown of it.

    Parameters
    ----------
    path : pathlib.Path
    names : list of str
    wavelengths_nm : ndarray, shape (bands,)
    values : ndarray, shape (spectra, bands)
    chosen : list of int
        Numbers of the spectra that are shown.
    scaled : bool
        Whether each fills the view, instead of having its own values.
    notes : tuple of str
        What had to be assumed to read it.
    """

    path: Path
    names: list[str]
    wavelengths_nm: NDArray[np.float64]
    values: NDArray[np.float64]
    chosen: list[int] = field(default_factory=list)
    scaled: bool = True
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path, chosen: list[str] | None = None, scaled: bool = True) -> Library:
        """Read a CSV or ENVI library; InputError if it is none. `chosen` are names of spectra to show."""
        from napari_hsisynth.formats.spectral_library import read_library

        found = read_library(path)
        names = list(found.names)
        numbers = [number for number, name in enumerate(names) if name in (chosen or [])][:MOST_SPECTRA]
        return cls(path, names, found.wavelengths_nm, found.values, numbers, scaled, found.notes)


class References(QObject):
    """What is laid over; remembered from one start to the next.

    Parameters
    ----------
    parent : QObject

    Attributes
    ----------
    changed : Signal
        Others are chosen.
    """

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._known = absorbers()
        absorbing: list[Any] = settings.value("spectra/absorbers", [])
        libraries: list[Any] = settings.value("spectra/libraries", [])
        self.absorbers: list[str] = [name for name in absorbing if name in self._known]
        self.libraries: list[Library] = []
        for stored in libraries:
            self._restore(stored)

    def _restore(self, stored: Any) -> None:
        try:
            path, chosen, scaled = Path(stored["path"]), list(stored["chosen"]), bool(stored["scaled"])
            self.libraries.append(Library.read(path, chosen, scaled))
        except (KeyError, TypeError):  # written by another version
            return
        except (InputError, OSError) as error:
            show_warning(f"a spectral library of the last time cannot be read: {error}")

    def _changed(self) -> None:
        settings.set_value("spectra/absorbers", self.absorbers)
        stored = [
            {"path": str(each.path), "chosen": [each.names[number] for number in each.chosen], "scaled": each.scaled}
            for each in self.libraries
        ]
        settings.set_value("spectra/libraries", stored)
        self.changed.emit()

    # -- choosing ---------------------------------------------------------------------------------------------------

    @property
    def absorber_tips(self) -> dict[str, str]:
        """Name of every absorber that can be shown -> where its values come from."""
        return {name: each.source for name, each in self._known.items()}

    def show_absorber(self, name: str, on: bool) -> None:
        """Show an absorber or not."""
        self.absorbers = [each for each in self._known if (on if each == name else each in self.absorbers)]
        self._changed()

    def open_library(self, path: Path) -> Library:
        """Read a library and show its first spectrum; one that is open already is read again.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        library = Library.read(path)
        library.chosen = [0]
        self.libraries = [*(each for each in self.libraries if each.path != path), library]
        self._changed()
        return library

    def close_library(self, library: Library) -> None:
        """Forget a library."""
        self.libraries.remove(library)
        self._changed()

    def show_spectrum(self, library: Library, number: int, on: bool) -> bool:
        """Show a spectrum of a library or not; False if there are `MOST_SPECTRA` already."""
        chosen = set(library.chosen) - {number}
        if on and len(chosen) >= MOST_SPECTRA:
            return False
        library.chosen = sorted(chosen | {number} if on else chosen)
        self._changed()
        return True

    def scale_library(self, library: Library, on: bool) -> None:
        """Have the spectra of a library fill the view, or show their own values."""
        library.scaled = on
        self._changed()

    @property
    def count(self) -> int:
        """Number of curves."""
        return len(self.absorbers) + sum(len(library.chosen) for library in self.libraries)

    # -- curves -----------------------------------------------------------------------------------------------------

    def curves(self, x: tuple[float, float], y: tuple[float, float], treatment: Treatment) -> list[Curve]:
        """Return the curves.

        Parameters
        ----------
        x, y : tuple of float
            The view: wavelengths, nm, and values.
        treatment : Treatment
            What spectra of libraries go through too; absorption stays absorption.
        """
        room = _FREE * (y[1] - y[0])
        view = y[0] + room, y[1] - room
        found = []
        for name in self.absorbers:
            nm = np.arange(np.floor(x[0]), np.ceil(x[1]) + _STEP_NM, _STEP_NM)
            absorption = self._known[name](nm)
            colour = _ABSORBER_COLOURS.get(name, "")
            values = scaled_to(absorption, *view)
            found.append(Curve("reference", name, ABSORPTION, "reference", colour, nm, values, n=0, note=SCALED))
        number = 0
        for library in self.libraries:
            for row in library.chosen:
                colour = _LIBRARY_COLOURS[number % len(_LIBRARY_COLOURS)]
                found.append(self._library_curve(library, row, colour, view, x, treatment))
                number += 1
        return found

    @staticmethod
    def _library_curve(
        library: Library, row: int, colour: str, view: tuple[float, float], x: tuple[float, float], treatment: Treatment
    ) -> Curve:
        nm, raw = library.wavelengths_nm, library.values[row]
        values = treatment.apply(raw, nm)
        note = ""
        if library.scaled:
            seen = np.where((nm >= x[0]) & (nm <= x[1]), values, np.nan)  # beyond the plot there is nothing to fit
            values = scaled_to(seen, *view)
            note = SCALED
        return Curve(
            "reference", library.names[row], library.path.name, "reference", colour, nm, values, n=0, raw=raw, note=note
        )
