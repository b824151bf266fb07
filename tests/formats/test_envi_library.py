"""ENVI spectral libraries: of all types, of `spectral`, and damaged ones."""

import numpy as np
import pytest
from envi_files import TYPES, listed, values_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import read_library

NM = np.array([400.0, 450.5, 600.0])
VALUES = np.array([[0.1, 0.2, 0.4], [1.0, 2.0, -3.5]])


def check(library, names=("a", "b"), nm=NM, values=VALUES):
    assert library.names == tuple(names)
    np.testing.assert_array_equal(library.wavelengths_nm, nm)
    np.testing.assert_array_equal(library.values, values)


def envi_library(folder, values, nm, *, kind=5, order=0, data="lib.sli", **fields):
    (folder / data).write_bytes(np.asarray(values).astype(np.dtype(TYPES[kind]).newbyteorder("<>"[order])).tobytes())
    described = {
        "samples": np.shape(values)[1],
        "lines": np.shape(values)[0],
        "bands": 1,
        "file type": "ENVI Spectral Library",
        "data type": kind,
        "interleave": "bsq",
        "byte order": order,
        "wavelength units": "Nanometers",
        "wavelength": listed(nm),
        "spectra names": "{a, b}",
    } | {name.replace("_", " "): value for name, value in fields.items()}
    text = "ENVI\n" + "".join(f"{name} = {value}\n" for name, value in described.items() if value is not None)
    (folder / "lib.hdr").write_text(text, encoding="utf-8")
    return folder / "lib.hdr"


@pytest.mark.parametrize("data", ["lib.sli", "lib", "lib.dat"])
def test_an_envi_library_by_either_file(tmp_path, data):
    path = envi_library(tmp_path, VALUES, NM, data=data)
    for name in (path, tmp_path / data):
        library = read_library(name)
        check(library)
        assert library.notes == ()


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("kind", list(TYPES))
def test_every_type_of_an_envi_library(tmp_path, kind, order):
    values = values_of((2, 3), kind)
    library = read_library(envi_library(tmp_path, values, NM[::-1], kind=kind, order=order))
    expected = np.abs(values) if np.dtype(TYPES[kind]).kind == "c" else values
    check(library, values=expected[:, ::-1].astype(np.float64))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 6)), seed=st.integers(0, 99))
def test_a_library_that_spectral_writes(tmp_path, shape, seed):
    import spectral.io.envi

    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape).astype(np.float32)
    nm = np.sort(rng.uniform(300, 2500, shape[1]))
    names = [f"spectrum of {number}" for number in range(shape[0])]
    header = {"wavelength": nm.tolist(), "spectra names": names, "wavelength units": "nm"}
    spectral.io.envi.SpectralLibrary(values, header).save(str(tmp_path / "s"))
    library = read_library(tmp_path / "s.hdr")
    check(library, names, nm, values)
    reference = spectral.io.envi.open(str(tmp_path / "s.hdr"))
    check(library, reference.names, np.array(reference.bands.centers), reference.spectra)


def test_scale_missing_value_units_and_names_of_an_envi_library(tmp_path):
    stored = np.array([[0, 5000, 10000], [1, 2, 3]])
    path = envi_library(
        tmp_path,
        stored,
        NM / 1000,
        kind=12,
        wavelength_units="Micrometers",
        reflectance_scale_factor=10000,
        data_ignore_value=0,
        spectra_names="{a}",
        byte_order=None,
    )
    library = read_library(path)
    np.testing.assert_allclose(library.wavelengths_nm, NM)
    np.testing.assert_array_equal(library.values, [[np.nan, 0.5, 1], [1e-4, 2e-4, 3e-4]])
    assert library.names == ("spectrum 1", "spectrum 2")
    for said in ("scale factor 10000", "became NaN", "names do not fit the 2 spectra", "no 'byte order'"):
        assert any(said in note for note in library.notes), said


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"file_type": "ENVI Standard"}, "not a spectral library: its file type is 'ENVI Standard'; open it as a cube"),
        ({"wavelength": None}, "the header has no 'wavelength'"),
        ({"wavelength": "{400, 500}"}, "'wavelength' has 2 values, not 3"),
        ({"wavelength": "{1, 2, 3}"}, "do not lie between 100 and 25000 nm"),
        ({"wavelength": "{400, 400, 500}"}, "400 nm is there more than once"),
        ({"wavelength_units": "Index"}, "only numbers of bands"),
        ({"bands": 3}, "'bands' is 3, and is 1 in a spectral library"),
        ({"lines": 400_000, "samples": 400_000}, "truncated"),
        ({"lines": -1}, "'lines' is '-1'"),
        ({"data_type": 99}, "'data type' is 99"),
        ({"spectra_names": "{a"}, "the braces of 'spectra names' are never closed"),
    ],
)
def test_damaged_envi_libraries(tmp_path, fields, said):
    path = envi_library(tmp_path, VALUES, NM, **fields)
    for name in (path, path.with_suffix(".sli")):
        with pytest.raises(InputError) as caught:
            read_library(name)
        assert said in str(caught.value)
        assert str(name) in str(caught.value)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_library(tmp_path / "a.csv")
    with pytest.raises(InputError, match="not a regular file"):
        read_library(tmp_path)
    envi_library(tmp_path, VALUES, NM)
    (tmp_path / "lib.sli").unlink()
    with pytest.raises(InputError, match=r"the data file beside lib\.hdr is missing"):
        read_library(tmp_path / "lib.hdr")
