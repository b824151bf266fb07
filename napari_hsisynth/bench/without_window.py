"""Figures of what needs no window: opening files, importing, listing a study, colour."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.bench.figure import Budget, Figure, Times, timing
from napari_hsisynth.bench.measure import alternate
from napari_hsisynth.bench.size import Shape, Size


def opening(folder: Path, size: Size) -> list[Figure]:
    """Opening ``.mat`` files beside SciPy, which gives the arrays only."""
    import scipy.io

    from napari_hsisynth.formats import read_cube

    bands, height, width = size.cube
    values = _phantom(size.cube).transpose(1, 2, 0)  # as HSIDermoscopy stores it
    found = []
    for name, compressed in (("a compressed", True), ("an uncompressed", False)):
        path = folder / f"{compressed}.mat"
        scipy.io.savemat(path, {"Image": values}, do_compression=compressed)
        works = {"own": partial(read_cube, path), "scipy": partial(scipy.io.loadmat, path)}
        times = alternate(works, size.rounds)
        found.append(
            timing(
                f"open {name} .mat, {height}x{width}x{bands} float32",
                times["own"],
                "scipy.io.loadmat",
                times["scipy"],
                budget=Budget(most_beyond=10),
            )
        )
    return found


def importing(size: Size) -> Figure:
    """``import napari_hsisynth`` beside ``import numpy``, each in new interpreters, less what an empty one takes."""
    code = {"own": "import napari_hsisynth", "numpy": "import numpy", "nothing": ""}
    run = partial(subprocess.run, check=True)
    times = alternate(
        {name: partial(run, [sys.executable, "-c", text]) for name, text in code.items()}, size.interpreters
    )
    # differences within a round: what slows the machine down meanwhile slows down all three
    own, numpy = (
        Times(tuple(a - b for a, b in zip(times[name].seconds, times["nothing"].seconds, strict=True)))
        for name in ("own", "numpy")
    )
    return timing("import napari_hsisynth", own, "import numpy", numpy, budget=Budget(most_ratio=1.3))


def listing(root: Path, size: Size) -> Figure:
    """Opening a study and reading what its table shows, beside the least that a program could read for it."""
    from napari_hsisynth.study import Study

    def own() -> None:
        study = Study.open(root)
        for entry in study.entries:
            study.annotation_summary(entry.id)

    times = alternate({"own": own, "csv": partial(manifest_and_files, root)}, size.rounds)
    return timing(
        f"list a study of {size.study} cubes: manifest and annotations",
        times["own"],
        "csv.DictReader and os.stat of every file",
        times["csv"],
        budget=Budget(most=1000),
    )


def manifest_and_files(root: Path) -> None:
    """Read the rows and ask the system for every file that they stand for."""
    with open(root / "manifest.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            os.stat(root / row["path"])
            os.stat(root / "masks" / f"{row['id']}.json")


def colour(size: Size) -> Figure:
    """The CIE 1931 picture of a cube, beside the same formula in plain NumPy."""
    from napari_hsisynth.composite import colour_matching, rgb_cie1931
    from napari_hsisynth.cube import Cube, even_wavelengths_nm

    bands, height, width = size.cube
    nm = even_wavelengths_nm(bands)
    values = _phantom(size.cube)
    cube = Cube(values, nm)
    # weights to XYZ and on to linear sRGB; a flat spectrum is white
    to_rgb = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    xyz = colour_matching(nm)
    weights = to_rgb @ (xyz / xyz.sum(axis=1, keepdims=True) * np.linalg.solve(to_rgb, np.ones(3))[:, None])

    def plain() -> NDArray[np.float64]:
        linear = np.tensordot(weights, values.astype(np.float64), axes=1)
        linear = np.clip(linear / np.percentile(linear[1], 99.5), 0, 1)
        return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).transpose(1, 2, 0)

    times = alternate({"own": lambda: rgb_cie1931(cube), "plain": plain}, size.rounds, warm_up=2)
    return timing(
        f"RGB of {height}x{width}x{bands}",
        times["own"],
        "the same in plain NumPy, float64: tensordot, percentile, power",
        times["plain"],
        budget=Budget(most=15),
    )


def _phantom(shape: Shape) -> NDArray[np.float32]:
    from napari_hsisynth.optics import lesion_phantom

    return lesion_phantom("melanoma", shape=shape[1:]).cube.data
