"""Write the data tables of napari_hsisynth/optics/data from their sources.

    python tools/make_optics_tables.py HAEMOGLOBIN_FOLDER PER_BAND_CSV

HAEMOGLOBIN_FOLDER holds oxyHemoglobin.mat and deoxyHemoglobin.mat (see optics/data/NOTICE.md for where they come from),
PER_BAND_CSV the published figures per band of the real data.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import scipy.io

#: Percentiles 1 and 99 and the maximum, per band.
OF_ALL_PIXELS = ("p1", "p99", "max")
DATA = Path(__file__).resolve().parent.parent / "napari_hsisynth" / "optics" / "data"


def haemoglobin_rows(folder: Path) -> list[list[str]]:
    """Wavelength in nm and molar extinction of oxy- and deoxyhaemoglobin in 1/(cm M), one row per wavelength."""
    oxygenated = scipy.io.loadmat(folder / "oxyHemoglobin.mat")
    deoxygenated = scipy.io.loadmat(folder / "deoxyHemoglobin.mat")
    wavelengths = oxygenated["wavelength"].ravel()
    if (wavelengths != deoxygenated["wavelength"].ravel()).any():
        raise SystemExit("the two tables have different wavelengths")
    columns = zip(wavelengths, oxygenated["data"].ravel(), deoxygenated["data"].ravel(), strict=True)
    return [[f"{value:.10g}" for value in row] for row in columns]


def sensor_rows(per_band: Path) -> list[list[str]]:
    """Band, mean and standard deviation of skin, dysplastic nevi and melanoma, and `OF_ALL_PIXELS`."""
    with per_band.open(newline="") as file:
        rows = list(csv.DictReader(file))
    published = ("normal_skin", "dysplastic_nevi", "melanoma")
    classes = [f"{name}_{what}" for name in published for what in ("mean", "std")]
    return [[row[name] for name in ("band", *classes, *OF_ALL_PIXELS)] for row in rows]


def write(name: str, header: list[str], rows: list[list[str]]) -> None:
    """Write one table with Unix line ends."""
    with (DATA / name).open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("haemoglobin", type=Path)
    parser.add_argument("per_band", type=Path)
    arguments = parser.parse_args()
    write(
        "haemoglobin.csv", ["wavelength_nm", "oxy_per_cm_m", "deoxy_per_cm_m"], haemoglobin_rows(arguments.haemoglobin)
    )
    figures = [f"{name}_{what}" for name in ("skin", "dysplastic_nevus", "melanoma") for what in ("mean", "std")]
    write("hsidermoscopy.csv", ["band", *figures, *OF_ALL_PIXELS], sensor_rows(arguments.per_band))


if __name__ == "__main__":
    main()
