"""NetCDF 3 against SciPy, which writes it, and by hand where SciPy cannot."""

import itertools
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import netcdf_file

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import format_of, read_cube

SHAPE = {"b": 6, "y": 7, "x": 5}
VALUES = np.random.default_rng(0).normal(size=tuple(SHAPE.values())).astype(np.float32)
NM = np.linspace(465, 630, 6)
ORDERS = ["".join(order) for order in itertools.permutations("byx")]
NAMES = {"b": "wavelength", "y": "line", "x": "sample"}


def save(path, order="byx", *, version=1, records=False, values=VALUES, unit=b"nm", nm=NM, **attributes):
    """Write a cube with named axes; with `records`, the first of them is the unlimited one."""
    stored = values.transpose(["byx".index(axis) for axis in order])
    with netcdf_file(path, "w", version=version) as file:
        for number, axis in enumerate(order):
            file.createDimension(NAMES[axis], None if records and number == 0 else SHAPE[axis])
        file.title = b"a title"
        file.createVariable("wavelength", "f8", ("wavelength",))[:] = nm
        file.variables["wavelength"].units = unit
        made = file.createVariable("odd", "i1", (NAMES[order[0]],))  # three bytes of padding in every record
        made[:] = np.arange(SHAPE[order[0]])
        made = file.createVariable("cube", stored.dtype.newbyteorder(">"), tuple(NAMES[axis] for axis in order))
        for name, value in attributes.items():
            setattr(made, name, value)
        made[:] = stored


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize("lazy", [False, True])
def test_what_scipy_writes_is_read(tmp_path, order, version, records, lazy):
    save(tmp_path / "a.nc", order, version=version, records=records)
    cube = read_cube(tmp_path / "a.nc", lazy=lazy)
    assert cube.is_lazy == lazy
    np.testing.assert_array_equal(np.asarray(cube.data), VALUES)
    np.testing.assert_array_equal(cube.data[:, 3, 2], VALUES[:, 3, 2])
    np.testing.assert_array_equal(cube.wavelengths_nm, NM)
    assert (cube.provenance["format"], cube.provenance["axes"]) == ("netcdf 3", order)
    assert cube.notes == ()
    shapes = {known.name: known.shape for known in format_of(tmp_path / "a.nc").variables(tmp_path / "a.nc")}
    assert shapes == {
        "wavelength": (6,),
        "odd": (SHAPE[order[0]],),
        "cube": tuple(SHAPE[axis] for axis in order),
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    shapes=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 5)), min_size=1, max_size=4),
    kinds=st.lists(st.sampled_from(["i1", ">i2", ">i4", ">f4", ">f8"]), min_size=4, max_size=4),
    count=st.integers(1, 4),
    moving=st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_records_of_several_arrays_lie_where_scipy_says(tmp_path, shapes, kinds, count, moving):
    path = tmp_path / "a.nc"
    expected = {}
    with netcdf_file(path, "w") as file:
        file.createDimension("time", None)
        file.createDimension("time_fixed", count)
        for number, ((height, width), kind, moves) in enumerate(zip(shapes, kinds, moving, strict=False)):
            file.createDimension(f"h{number}", height)
            file.createDimension(f"w{number}", width)
            axes = ("time" if moves else "time_fixed", f"h{number}", f"w{number}")
            values = np.random.default_rng(number).integers(-100, 100, (count, height, width)).astype(kind)
            file.createVariable(f"v{number}", kind, axes)[:] = values
            expected[f"v{number}"] = values.astype(np.float32)
    for name, values in expected.items():
        np.testing.assert_array_equal(read_cube(path, variable=name, axes="byx").data, values)
        np.testing.assert_array_equal(read_cube(path, variable=name, axes="byx", lazy=True).data[:, 0], values[:, 0])


def by_hand(version, records, shape, kind, code, content):
    """Return a file with one array of one record axis and two fixed ones, in any of the three variants."""
    count, offset = (">Q" if version == 5 else ">I"), (">I" if version == 1 else ">Q")

    def number(value):
        return struct.pack(count, value)

    def name(text):
        return number(len(text)) + text.encode() + bytes(-len(text) % 4)

    head = b"CDF" + bytes([version]) + (b"\xff" * struct.calcsize(count) if records is None else number(records))
    head += struct.pack(">I", 10) + number(3)
    head += b"".join(name(axis) + number(length) for axis, length in zip(("band", "y", "x"), shape, strict=True))
    head += struct.pack(">I", 0) + number(0)
    head += struct.pack(">I", 11) + number(1) + name("cube") + number(3) + b"".join(map(number, (0, 1, 2)))
    head += struct.pack(">I", 0) + number(0) + struct.pack(">I", code) + number(len(content))
    begin = len(head) + struct.calcsize(offset)
    return head + struct.pack(offset, begin) + content


@pytest.mark.parametrize("version", [1, 2, 5])
@pytest.mark.parametrize("records", [3, None])
def test_all_variants_and_a_count_of_records_that_was_never_written(tmp_path, version, records):
    kind, code = (">u2", 8) if version == 5 else (">i2", 3)
    values = np.arange(3 * 5 * 3, dtype=kind).reshape(3, 5, 3)
    (tmp_path / "a.nc").write_bytes(by_hand(version, records, (0, 5, 3), kind, code, values.tobytes()))
    np.testing.assert_array_equal(read_cube(tmp_path / "a.nc").data, values.astype(np.float32))


def test_bytes_without_a_sign_are_said_by_an_attribute(tmp_path):
    values = (VALUES * 30 + 100).astype(np.uint8)
    save(tmp_path / "a.nc", values=values.view(np.int8), _Unsigned=b"true")
    np.testing.assert_array_equal(read_cube(tmp_path / "a.nc").data, values.astype(np.float32))


@pytest.mark.parametrize("lazy", [False, True])
def test_packed_values_and_wavelengths_in_micrometres(tmp_path, lazy):
    packed = np.random.default_rng(1).integers(-30_000, 30_000, VALUES.shape).astype(np.int16)
    packed[0, 1, 2] = -32768
    attributes = {"scale_factor": 1e-4, "add_offset": -0.25, "_FillValue": np.int16(-32768)}
    save(tmp_path / "a.nc", values=packed, unit=b"um", nm=NM / 1000, **attributes)
    cube = read_cube(tmp_path / "a.nc", lazy=lazy)
    expected = packed * 1e-4 - 0.25
    expected[0, 1, 2] = np.nan
    np.testing.assert_allclose(np.asarray(cube.data), expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(cube.wavelengths_nm, NM, rtol=1e-12)
    assert [any(word in note for note in cube.notes) for word in ("scale_factor", "-32768", "in um")] == [True] * 3


def test_what_lies_behind_the_end_of_the_file_is_refused(tmp_path):
    save(tmp_path / "a.nc")
    content = (tmp_path / "a.nc").read_bytes()
    for end in range(4, len(content), 7):
        (tmp_path / "a.nc").write_bytes(content[:end])
        for lazy in (False, True):
            with pytest.raises(InputError, match=r"a\.nc: "):
                read_cube(tmp_path / "a.nc", lazy=lazy)
