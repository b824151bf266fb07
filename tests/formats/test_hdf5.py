"""HDF5 and NetCDF 4 of other programs: which array, which axes, which wavelengths, which values."""

import gc
import itertools
import struct

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import AmbiguousVariableError, format_of, read_cube
from napari_hsisynth.formats.hdf5_text import variable_texts

SHAPE = {"b": 6, "y": 7, "x": 5}  # by its lengths alone, most orders would be taken for another
VALUES = np.random.default_rng(0).normal(size=tuple(SHAPE.values())).astype(np.float32)
NM = np.linspace(465, 630, 6)
ORDERS = ["".join(order) for order in itertools.permutations("byx")]


def stored(order):
    """Return the values as a file with axes in this order holds them."""
    return np.ascontiguousarray(VALUES.transpose(["byx".index(axis) for axis in order]))


def save(path, order="byx", name="cube", attributes=None, **others):
    with h5py.File(path, "w") as file:
        file[name] = stored(order)
        file[name].attrs.update(attributes or {})
        for other, values in others.items():
            file[other.replace("__", "/")] = values


def check(cube, known=True):
    np.testing.assert_array_equal(cube.data, VALUES)
    assert cube.wavelengths_known == known
    if known:
        np.testing.assert_allclose(cube.wavelengths_nm, NM, rtol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    "names",
    [
        {"b": "wavelength", "y": "y", "x": "x"},
        {"b": "Bands", "y": "downtrack", "x": "crosstrack"},
        {"b": "spectral", "y": "Lines", "x": "Samples"},
    ],
)
def test_attached_scales_name_the_axes_and_hold_the_wavelengths(tmp_path, order, lazy, names):
    path = tmp_path / "a.nc"
    with h5py.File(path, "w") as file:  # as NetCDF 4 does
        cube = file.create_dataset("sub/reflectance", data=stored(order))
        for number, axis in enumerate(order):
            scale = file.create_dataset(names[axis], data=NM if axis == "b" else np.zeros(SHAPE[axis], "f4"))
            bare = f"This is a netCDF dimension but not a netCDF variable.{SHAPE[axis]:10d}"
            scale.make_scale(names[axis] if axis == "b" else bare)
            scale.attrs["_Netcdf4Dimid"] = number
            cube.dims[number].attach_scale(scale)
    found = read_cube(path, lazy=lazy)
    assert found.is_lazy == lazy
    check(found)
    assert found.provenance["axes"] == order
    assert not any("was taken as the bands" in note for note in found.notes)


@pytest.mark.parametrize("order", ORDERS)
def test_labels_and_enviss_word_name_the_axes(tmp_path, order):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = stored(order)
        for number, axis in enumerate(order):
            file["cube"].dims[number].label = {"b": "Wavelength", "y": "Line", "x": "Sample"}[axis]
        file["cube"].attrs["Interleave"] = "BSQ"  # of the file that it was made of; labels count more
    check(read_cube(tmp_path / "a.h5"), known=False)
    text = ", ".join({"b": "Wavelength", "y": "Line", "x": "Sample"}[axis] for axis in order)
    save(tmp_path / "b.h5", order, attributes={"Dimension_Labels": text})
    check(read_cube(tmp_path / "b.h5"), known=False)
    interleave = {"byx": "bsq", "ybx": b"BIL", "yxb": "Bip"}.get(order)
    if interleave is not None:
        save(tmp_path / "c.h5", order, attributes={"interleave": interleave})
        check(read_cube(tmp_path / "c.h5"), known=False)


@pytest.mark.parametrize("order", ORDERS)
def test_the_user_knows_better_than_the_file(tmp_path, order):
    save(tmp_path / "a.h5", order, attributes={"interleave": "bsq"}, wavelengths=NM)
    check(read_cube(tmp_path / "a.h5", axes=order))
    check(read_cube(tmp_path / "a.h5", axes=order, lazy=True))


def test_names_that_contradict_each_other_say_nothing(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = stored("yxb")
        for number, label in enumerate(("line", "row", "wavelength")):
            file["cube"].dims[number].label = label
    cube = read_cube(tmp_path / "a.h5", wavelengths_nm=NM)
    check(cube)
    assert any("the last of the three axes was taken as the bands" in note for note in cube.notes)


@pytest.mark.parametrize(
    "place",
    [
        {"scan__wavelength": NM},
        {"scan__Wavelengths": NM.reshape(1, -1)},
        {"wavelengths_nm": NM},
        {"scan__bands": NM},
        {"scan__bands": np.arange(1, 7), "sensor__band_parameters__wavelengths": NM},  # bands are only numbered
        {"elsewhere__lambda": NM},
    ],
)
def test_wavelengths_are_found_in_the_group_above_it_and_elsewhere(tmp_path, place):
    save(tmp_path / "a.h5", "byx", "scan/cube", **place)
    cube = read_cube(tmp_path / "a.h5", axes="byx")
    check(cube)
    assert any("taken from" in note for note in cube.notes) == any(key.startswith(("else", "sensor")) for key in place)


def test_the_nearest_wavelengths_win_and_several_far_ones_are_left_out(tmp_path):
    save(tmp_path / "a.h5", "byx", "scan/cube", scan__wavelengths=NM, wavelengths=NM + 1, other__wavelengths=NM + 2)
    check(read_cube(tmp_path / "a.h5", axes="byx"))
    save(tmp_path / "b.h5", "byx", "scan/cube", one__wavelengths=NM, two__wavelengths=NM + 2)
    cube = read_cube(tmp_path / "b.h5", axes="byx")
    check(cube, known=False)
    assert any("one/wavelengths, two/wavelengths" in note for note in cube.notes)
    save(tmp_path / "c.h5", "byx", "scan/cube", one__wavelengths=NM, two__wavelengths=NM)
    check(read_cube(tmp_path / "c.h5", axes="byx"))


@pytest.mark.parametrize(
    ("unit", "factor"), [("nm", 1), ("Nanometers", 1), ("µm", 1e3), (b"microns", 1e3), ("m", 1e9), ("Angstrom", 0.1)]
)
def test_units_of_wavelengths_are_converted_and_said(tmp_path, unit, factor):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = VALUES
        file["wavelength"] = NM / factor
        file["wavelength"].attrs["Units"] = unit
    cube = read_cube(tmp_path / "a.h5", axes="byx")
    check(cube)
    assert any("converted to nm" in note for note in cube.notes) == (factor != 1)
    save(tmp_path / "b.h5", attributes={"wavelengths": NM / factor, "wavelength units": unit, "units": "W/m2"})
    check(read_cube(tmp_path / "b.h5", axes="byx"))


def test_wavelengths_in_units_that_are_none_are_left_out_and_said(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = VALUES
        file["wavelength"] = 1e7 / NM
        file["wavelength"].attrs["units"] = "cm-1"
    cube = read_cube(tmp_path / "a.h5", axes="byx")
    check(cube, known=False)
    assert any("'cm-1'" in note and "left out" in note for note in cube.notes)


@pytest.mark.parametrize("lazy", [False, True])
def test_packed_values_are_unpacked_as_cf_says(tmp_path, lazy):
    packed = np.random.default_rng(1).integers(-30_000, 30_000, VALUES.shape).astype(np.int16)
    packed[0, 1, 2], packed[3, 3, 3] = -9999, 32767
    attributes = {"scale_factor": np.float64(2.5e-5), "add_offset": 0.5, "_FillValue": np.int16([-9999])}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = packed
        file["cube"].attrs.update({**attributes, "missing_value": 32767.0})
    cube = read_cube(tmp_path / "a.h5", axes="byx", lazy=lazy)
    expected = packed.astype(np.float64) * 2.5e-5 + 0.5
    expected[(packed == -9999) | (packed == 32767)] = np.nan
    np.testing.assert_allclose(np.asarray(cube.data), expected, rtol=1e-6, atol=1e-7)
    assert any("scale_factor 2.5e-05 and add_offset 0.5" in note for note in cube.notes)
    assert any("-9999 and 32767 means no value" in note for note in cube.notes)
    assert cube.provenance["dtype"] == "int16"


def test_factors_that_are_not_cfs_are_left_alone_and_said(tmp_path):
    save(tmp_path / "a.h5", attributes={"Scale_Factor": 10_000.0, "Data_Ignore_Value": float(VALUES[0, 0, 0])})
    cube = read_cube(tmp_path / "a.h5", axes="byx")
    assert np.isnan(cube.data[0, 0, 0])
    np.testing.assert_array_equal(cube.data[1:], VALUES[1:])
    assert any("'Scale_Factor' (10000.0) was left alone" in note for note in cube.notes)


@pytest.mark.parametrize("value", [0.0, np.nan, "x", [1.0, 2.0]])
def test_factors_that_cannot_be_are_refused(tmp_path, value):
    save(tmp_path / "a.h5", attributes={"scale_factor": value})
    with pytest.raises(InputError, match=r"a\.h5: damaged: its scale_factor"):
        read_cube(tmp_path / "a.h5")


def test_several_arrays_are_named_and_one_can_be_chosen(tmp_path):
    save(tmp_path / "a.h5", name="day/one", day__two=VALUES + 1, day__three=VALUES[0])
    with pytest.raises(AmbiguousVariableError, match=r"day/one 6x7x5 float32; day/two .*--variable"):
        read_cube(tmp_path / "a.h5")
    np.testing.assert_array_equal(read_cube(tmp_path / "a.h5", variable="day/two", axes="byx").data, VALUES + 1)
    with pytest.raises(InputError, match="'day/three' is not a cube"):
        read_cube(tmp_path / "a.h5", variable="day/three")


def test_one_array_under_two_names_is_one(tmp_path):
    save(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["again"] = file["cube"]
    np.testing.assert_array_equal(read_cube(tmp_path / "a.h5", axes="byx").data, VALUES)


@pytest.mark.parametrize("name", ["a.hdf5", "a.he5", "a.hdf", "a.nc", "a.bin"])
def test_the_content_counts_not_the_suffix(tmp_path, name):
    save(tmp_path / name)
    assert format_of(tmp_path / name).name == "hdf5"
    check(read_cube(tmp_path / name, axes="byx"), known=False)


def test_a_lazy_cube_keeps_its_file_open_and_closes_it_at_its_end(tmp_path):
    save(tmp_path / "a.h5")
    opened = h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
    cube = read_cube(tmp_path / "a.h5", axes="byx", lazy=True)
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == opened + 1
    (tmp_path / "a.h5").unlink()
    np.testing.assert_array_equal(cube.data[:, 2, 3], VALUES[:, 2, 3])
    del cube
    gc.collect()
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == opened
    save(tmp_path / "b.h5", attributes={"scale_factor": 0.0})
    with pytest.raises(InputError):
        read_cube(tmp_path / "b.h5", lazy=True)
    gc.collect()
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == opened


def test_one_pixel_needs_only_its_block(tmp_path):
    values = np.random.default_rng(2).normal(size=(4, 64, 64)).astype(np.float32)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("cube", data=values, chunks=(4, 32, 32), compression="gzip")
        far = made.id.get_chunk_info_by_coord((0, 32, 32))
    content = bytearray(path.read_bytes())
    content[far.byte_offset : far.byte_offset + far.size] = bytes(far.size)
    path.write_bytes(content)
    cube = read_cube(path, lazy=True)
    np.testing.assert_array_equal(cube.data[:, 3, 4], values[:, 3, 4])
    with pytest.raises(InputError, match=r"a\.h5: its values cannot be read"):
        cube.data[:, 40, 40]
    with pytest.raises(InputError, match=r"a\.h5: not a usable HDF5"):
        read_cube(path)


def test_a_filter_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file.create_dataset("cube", data=VALUES, compression="gzip")
    content = path.read_bytes()
    deflate = struct.pack("<H", 1) + content[content.index(b"deflate\0") - 6 : content.index(b"deflate\0")]
    assert content.count(deflate) == 1
    path.write_bytes(content.replace(deflate, struct.pack("<H", 32001) + deflate[2:]))
    with pytest.raises(InputError, match=r"a\.h5: 'cube' is compressed by HDF5 filter 32001"):
        read_cube(path)


def test_links_out_of_the_file_are_not_followed(tmp_path):
    save(tmp_path / "secret.h5")
    VALUES.tofile(tmp_path / "secret.raw")
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["cube"] = h5py.ExternalLink("secret.h5", "/cube")
        file["soft"] = h5py.SoftLink("/cube")
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("cube", VALUES.shape, "f4", external=[(str(tmp_path / "secret.raw"), 0, VALUES.nbytes)])
    virtual = h5py.VirtualLayout(VALUES.shape, "f4")
    virtual[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "cube", VALUES.shape)
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("cube", virtual)
    for lazy in (False, True):
        with pytest.raises(InputError, match="no 3-D numeric array"):
            read_cube(tmp_path / "link.h5", lazy=lazy)
        for name in ("external.h5", "virtual.h5"):
            with pytest.raises(InputError, match="lies in another file"):
                read_cube(tmp_path / name, lazy=lazy)


def test_groups_that_contain_each_other_end(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        groups = [file.create_group(f"g{number}") for number in range(40)]
        for group in groups:  # 40 to the power of the depth, if each way were walked
            for number, other in enumerate(groups):
                group[f"again{number}"] = other
        groups[-1]["up"] = file["/"]
        groups[-1]["cube"] = VALUES
    check(read_cube(tmp_path / "a.h5", axes="byx"), known=False)


def test_too_many_names_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(1100):
            file[f"d{number}"] = 1
    with pytest.raises(InputError, match="more than 1000 arrays"):
        read_cube(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        deep = file
        for _ in range(300):
            deep = deep.create_group("g")
        deep["cube"] = VALUES
    with pytest.raises(InputError, match="no 3-D numeric array"):
        read_cube(tmp_path / "b.h5")


def test_names_that_are_no_text_can_be_printed(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[b"caf\xe9"] = VALUES
        file["other"] = VALUES
    with pytest.raises(AmbiguousVariableError) as caught:
        read_cube(tmp_path / "a.h5")
    str(caught.value).encode("utf-8")


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    texts=st.dictionaries(WORDS, st.lists(WORDS, min_size=1, max_size=4) | WORDS, max_size=7),
    libver=st.sampled_from(["earliest", "v108", "v110", "latest"]),
    ordered=st.booleans(),
    block=st.sampled_from([0, 512]),
)
def test_text_of_variable_length_is_what_the_library_reads(tmp_path, texts, libver, ordered, block):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=libver, userblock_size=block) as file:
        made = file.create_dataset("cube", data=VALUES, track_order=ordered)
        for number, (name, text) in enumerate(texts.items()):
            value = text if isinstance(text, str) else np.array(text, dtype=h5py.string_dtype())
            made.attrs[name] = value
            made.attrs[f"between{number}"] = number
            if number % 2:  # what is written anew lies elsewhere
                made.attrs[name] = value
    with h5py.File(path) as file, open(path, "rb") as handle:
        made = file["cube"]
        found = variable_texts(handle, h5py.h5o.get_info(made.id).addr, file.userblock_size)
        expected = {name: np.ravel(made.attrs[name]).tolist() for name in texts}
    if len(texts) > 4 and (ordered or libver != "earliest"):  # more than 8 attributes, which may lie in another way
        assert found == {} or found == expected
    else:
        assert found == expected


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_units_that_are_not_reached_are_not_taken_for_nm(tmp_path, libver):
    with h5py.File(tmp_path / "a.h5", "w", libver=libver) as file:
        file["cube"] = VALUES
        made = file.create_dataset("wavelength", data=10 * NM)
        made.attrs["units"] = "angstrom"
        for number in range(20):
            made.attrs[f"a{number}"] = "x"
    cube = read_cube(tmp_path / "a.h5", axes="byx")
    check(cube, known=libver == "earliest")
    assert any("converted" in note if libver == "earliest" else "left out" in note for note in cube.notes)
