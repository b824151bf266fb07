"""A sheet of samples: real cubes in the first row, then every generator's, at one contrast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.cube import Cube
from napari_hsisynth.metrics.pictures import colours, spread
from napari_hsisynth.results.data_set import Results

_IN_A_ROW = 8


def write_sheet(results: Results, path: Path) -> None:
    """Write a PNG with eight evenly chosen cubes of every set; those of a column are of the same diagnosis.

    Parameters
    ----------
    results : Results
        Of one data set.
    path : pathlib.Path
        Replaced as a whole.
    """
    sets = {"real, held out": results.data.real, **results.made}
    # by diagnosis, so that an even choice shows all of them
    order = np.argsort(results.data.real.diagnoses, kind="stable")
    chosen = order[spread(len(order), _IN_A_ROW)]
    wavelengths_nm = results.data.wavelengths_nm
    images = colours([Cube(cubes.images[k], wavelengths_nm) for cubes in sets.values() for k in chosen])
    shown = np.array(images).reshape(len(sets), len(chosen), *images[0].shape)
    inches = 0.9
    figure = Figure(figsize=(inches * len(chosen) + 1.4, inches * len(sets)), dpi=100, layout="constrained")
    for row, name in enumerate(sets):
        for column in range(len(chosen)):
            axes = figure.add_subplot(len(sets), len(chosen), row * len(chosen) + column + 1)
            axes.imshow(np.clip(shown[row, column], 0, 1), interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            if column == 0:
                axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Software": None})
