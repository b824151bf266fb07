"""The spectrum that each diagnosis has on average in a study, from its accepted masks."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.spectra import SpectrumStatistics, label_statistics, roi_statistics
from napari_hsisynth.study.annotation import Annotation
from napari_hsisynth.study.diagnosis import Diagnosis
from napari_hsisynth.study.storage import Cancelled, Progress
from napari_hsisynth.study.study import Study

Region = Literal["lesion", "skin"]
#: Skin closer to a lesion than this is left out: masks end before pigment and reddening do.
SKIN_MARGIN_PX = 10


def class_spectra(
    study: Study,
    *,
    region: Region = "lesion",
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[Diagnosis, SpectrumStatistics]:
    """Mean spectrum of every diagnosis and its spread between lesions.

    Each lesion counts once, whatever its size: its own mean spectrum is taken first. The spread is that of lesions
    within a diagnosis, as published figures give it, and not that of pixels, which is larger.

    Parameters
    ----------
    study : Study
        Cubes with an accepted lesion are read one after the other; memory is needed for one.
    region : {"lesion", "skin"}
        "lesion": every accepted lesion, under its own diagnosis. "skin": what lies at least `SKIN_MARGIN_PX` outside
        of every mask of the cube, accepted or not, once per cube, under the diagnosis of the cube.
    progress : callable, optional
        Called with (cubes done, cubes in all).
    cancelled : callable, optional
        Asked before every cube; if it says true, `Cancelled` is raised.

    Returns
    -------
    dict of Diagnosis to SpectrumStatistics
        On ``study.wavelengths_nm``, in the order of `Diagnosis`; a diagnosis without any such region is not there.
        ``n`` is the number of lesions or cubes; median and quartiles are between them too.

    Raises
    ------
    InputError
        If a cube is missing or does not fit its mask, or `region` is neither of the two.
    """
    means: dict[Diagnosis, list[NDArray[np.float64]]] = {}
    for found in lesion_means(study, region=region, progress=progress, cancelled=cancelled).values():
        for diagnosis, mean in found:
            means.setdefault(diagnosis, []).append(mean)
    return {diagnosis: _between(np.array(means[diagnosis])) for diagnosis in Diagnosis if diagnosis in means}


def lesion_means(
    study: Study,
    ids: Collection[str] | None = None,
    *,
    region: Region = "lesion",
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, list[tuple[Diagnosis, NDArray[np.float64]]]]:
    """Mean spectrum of every lesion, for those who transform spectra before they average them.

    Parameters
    ----------
    study, region, progress, cancelled
        As for `class_spectra`.
    ids : collection of str, optional
        Only these cubes.

    Returns
    -------
    dict of str to list
        Id of every cube -> the diagnosis and the mean, shape (bands,), of each of its lesions (of its skin); empty for
        a cube without accepted ones.

    Raises
    ------
    InputError
        As for `class_spectra`.
    """
    if region not in ("lesion", "skin"):
        raise InputError(f"unknown region '{region}'", where="region", fix="use lesion or skin")
    study.reload()
    entries = [entry for entry in study.entries if ids is None or entry.id in ids]
    means: dict[str, list[tuple[Diagnosis, NDArray[np.float64]]]] = {}
    for done, entry in enumerate(entries):
        if cancelled is not None and cancelled():
            raise Cancelled
        if progress is not None:
            progress(done, len(entries))
        means[entry.id] = []
        if not study.annotation_summary(entry.id).accepted:
            continue
        data = study.read_cube(entry.id).data
        annotation = study.annotation(entry.id)
        if region == "skin":
            found = [(entry.diagnosis, roi_statistics(data, _skin(annotation)))]
        else:
            found = _lesions(data, annotation)
        means[entry.id] = [(diagnosis, one.mean) for diagnosis, one in found if one.n]
    if progress is not None:
        progress(len(entries), len(entries))
    return means


def _lesions(data: NDArray[np.float32], annotation: Annotation) -> list[tuple[Diagnosis, SpectrumStatistics]]:
    accepted = {lesion.id: lesion.diagnosis for lesion in annotation.instances if lesion.status == "accepted"}
    labels = np.where(np.isin(annotation.mask, list(accepted)), annotation.mask, 0)
    return [(accepted[number], one) for number, one in label_statistics(data, labels).items()]


def _skin(annotation: Annotation) -> NDArray[np.bool_]:
    from scipy import ndimage  # here, for a study opens without it

    if not annotation.mask.any():
        return np.zeros(annotation.mask.shape, bool)  # an accepted lesion without pixels can be anywhere
    return ndimage.distance_transform_edt(annotation.mask == 0) > SKIN_MARGIN_PX


def _between(means: NDArray[np.float64]) -> SpectrumStatistics:
    """Statistics over lesions, means of shape (lesions, bands)."""
    lower, median, upper = np.percentile(means, (25, 50, 75), axis=0)
    return SpectrumStatistics(means.mean(axis=0), means.std(axis=0), len(means), median, lower, upper)
