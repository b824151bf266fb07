"""`DiagnosisCurves`: what the lesions of each diagnosis in the study look like, as annotated up to now."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_hsisynth.study import Diagnosis, Study, lesion_means
from napari_hsisynth.widgets.curves import Curve
from napari_hsisynth.widgets.session import Session
from napari_hsisynth.widgets.treatment import Treatment
from napari_hsisynth.widgets.when_destroyed import when_destroyed
from napari_hsisynth.widgets.work_row import Told, WorkRow

#: After a change of annotations it waits this long for the next one, ms.
_PACE_MS = 1000
Means = dict[str, list[tuple[Diagnosis, NDArray[np.float64]]]]


class DiagnosisCurves(QObject):
    """Mean ± std over the mean spectra of lesions; every lesion counts once.

    The lesions of a cube are read again only after its annotation has changed.

    Parameters
    ----------
    session : Session
    work : WorkRow
        Where cubes are read.
    parent : QObject

    Attributes
    ----------
    changed : Signal
        There are other curves, or `state` is another one.
    cancelled : Signal
        The user does not want to wait for them.
    """

    changed = Signal()
    cancelled = Signal()

    def __init__(self, session: Session, work: WorkRow, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._work = session, work
        self._on = self._working = False
        self._means: Means = {}
        self._stale: set[str] | None = None  # None: every cube
        self._of: Path | None = None
        self._nm = np.zeros(0)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PACE_MS)
        self._timer.timeout.connect(self._read)
        slots = ((session.study_changed, self._study_changed), (session.annotation_changed, self._annotated))
        for signal, slot in slots:
            signal.connect(slot)

        def let_go() -> None:
            for signal, slot in slots:
                signal.disconnect(slot, missing_ok=True)

        when_destroyed(parent, let_go)

    @property
    def state(self) -> str:
        """Why there are no curves, in a few words; empty if there are, or none are wanted."""
        if not self._on or self._count:
            return ""
        if self._session.study is None:
            return "class means: no study is open"
        return "class means: reading ..." if self._working else "class means: no lesion is accepted yet"

    @property
    def _count(self) -> int:
        return sum(len(found) for found in self._means.values())

    def turn(self, on: bool) -> None:
        """Show them or not; the first time reads the study."""
        self._on = on
        self._read()

    def _study_changed(self, _: Study | None) -> None:
        root = None if self._session.study is None else self._session.study.root
        if root != self._of:
            self._means, self._of = {}, root
        self._stale = None
        self.changed.emit()
        self._read()

    def _annotated(self, cube_id: str) -> None:
        if self._stale is not None:
            self._stale.add(cube_id)
        if self._on:
            self._timer.start()

    def _read(self) -> None:
        study = self._session.study
        if not self._on or study is None or self._working or self._stale == set():
            return
        self._of, ids = study.root, self._stale
        self._working, self._stale = True, set()
        self._work.begin(
            "class means", partial(_means_of, study.root, ids), partial(self._take, study.root, ids), self._dropped
        )
        self.changed.emit()

    def _take(self, root: Path, ids: set[str] | None, found: tuple[NDArray[np.float64], Means]) -> None:
        self._working = False
        if root == self._of:
            self._nm, means = found
            self._means = means if ids is None else self._means | means
        self.changed.emit()
        self._read()  # what has changed meanwhile

    def _dropped(self) -> None:
        self._working, self._stale = False, None
        self.cancelled.emit()

    def curves(self, treatment: Treatment, quartiles: bool) -> list[Curve]:
        """Return a curve for every diagnosis that has accepted lesions: each lesion is treated first, then averaged."""
        if not self._on or not self._count:
            return []
        order = np.argsort(self._nm)
        nm, found = self._nm[order], []
        for diagnosis in Diagnosis:
            means = [mean for each in self._means.values() for one, mean in each if one is diagnosis]
            if not means:
                continue
            raw = np.stack(means, axis=1)[order]
            spectra = treatment.apply(raw, nm)
            lower, median, upper = np.percentile(spectra, (25, 50, 75), axis=1)
            curve = partial(
                Curve, "class mean", diagnosis.label, self._of.name if self._of else "", "real", diagnosis.colour, nm
            )
            std, raw_mean, n = spectra.std(axis=1), raw.mean(axis=1), len(means)
            if quartiles:
                found.append(curve(median, std=std, n=n, raw=raw_mean, lower=lower, upper=upper))
            else:
                found.append(curve(spectra.mean(axis=1), std=std, n=n, raw=raw_mean))
        return found


def _means_of(
    root: Path, ids: set[str] | None, told: Told, cancelled: Callable[[], bool]
) -> tuple[NDArray[np.float64], Means]:
    study = Study.open(root)  # one of its own, for the session's belongs to the GUI thread
    return np.asarray(study.wavelengths_nm), lesion_means(study, ids, progress=told, cancelled=cancelled)
