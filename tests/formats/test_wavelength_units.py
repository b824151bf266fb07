"""A unit means the same to every reader."""

import numpy as np
import pytest

from napari_hsisynth.formats import envi_bands, stored_wavelengths


@pytest.mark.parametrize(
    ("unit", "values"),
    [
        ("nm", [500, 600]),
        ("Nanometers", [500, 600]),
        ("µm", [0.5, 0.6]),
        ("microns", [0.5, 0.6]),
        ("Micro metre", [0.5, 0.6]),
        ("mm", [5e-4, 6e-4]),
        ("m", [5e-7, 6e-7]),
        ("Angstroms", [5000, 6000]),
    ],
)
def test_units_of_length_are_read_alike_everywhere(unit, values):
    for reader in (envi_bands, stored_wavelengths):
        found, _ = reader.in_nm(np.array(values), unit)
        np.testing.assert_allclose(found, [500, 600])


def test_what_is_no_length_is_left_out_of_stored_wavelengths():
    found, (said,) = stored_wavelengths.in_nm([1, 2], "furlongs")
    assert found is None
    assert "in 'furlongs', not a length, and were left out" in said
