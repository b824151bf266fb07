"""Files to measure on: a study of many cubes, and one cube that is better left where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_hsisynth.bench.size import Shape


def write_study(root: Path, cubes: int) -> None:
    """Make a study of tiny cubes with their masks; a list of it costs what a list of large ones does."""
    from napari_hsisynth.cube import Cube, even_wavelengths_nm
    from napari_hsisynth.formats import write_cube
    from napari_hsisynth.study import Diagnosis, Entry, Study
    from napari_hsisynth.study.annotation import given_mask

    nm = even_wavelengths_nm(16)
    study = Study.create(root, wavelengths_nm=nm, notes="made by napari-hsisynth bench")
    values = np.random.default_rng(0).random((16, 24, 32), dtype=np.float32)
    mask = np.zeros((24, 32), bool)
    mask[6:18, 8:24] = True
    diagnoses = list(Diagnosis)
    entries, annotations = [], []
    (root / "cubes").mkdir()
    for number in range(cubes):
        cube_id, diagnosis = f"cube_{number:04d}", diagnoses[number % len(diagnoses)]
        write_cube(root / "cubes" / f"{cube_id}.npz", Cube(values, nm, name=cube_id))
        entries.append(Entry(cube_id, f"cubes/{cube_id}.npz", diagnosis, f"patient {number // 2}", f"{number:064x}"))
        annotations.append(given_mask(cube_id, mask, diagnosis, mask.shape, ""))
    study.commit(entries, annotations)


def write_large(header: Path, shape: Shape) -> None:
    """Write smooth spectra as ENVI, one band behind the other (BSQ), little-endian float32; never all in memory.

    Parameters
    ----------
    header : pathlib.Path
        Ends in ``.hdr``; the values go into a file beside it.
    shape : (int, int, int)
        Bands, rows, columns.
    """
    bands, height, width = shape
    rng = np.random.default_rng(0)
    bright, red = (rng.random((height, width), dtype=np.float32) for _ in range(2))
    with open(header.with_suffix(".img"), "wb") as file:
        for band, part in enumerate(np.linspace(0, 1, bands, dtype=np.float32)):
            level = np.float32(0.3 + 0.1 * np.sin(9 * part) + 0.004 * (band % 3))
            np.asarray(level + 0.2 * bright + 0.3 * part * red, dtype="<f4").tofile(file)
    fields = {
        "samples": width,
        "lines": height,
        "bands": bands,
        "header offset": 0,
        "data type": 4,
        "interleave": "bsq",
        "byte order": 0,
        "wavelength units": "Nanometers",
        "wavelength": "{" + ", ".join(f"{nm:.3f}" for nm in np.linspace(400.0, 1000.0, bands)) + "}",
    }
    text = "".join(f"{name} = {value}\n" for name, value in fields.items())
    header.write_text(f"ENVI\n{text}", encoding="ascii")
