"""ENVI headers as real cameras, other programs and attackers write them."""

import contextlib
import json
import tracemalloc

import numpy as np
import pytest
from envi_files import listed, values_of, write_pair
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import describe, read_cube
from napari_hsisynth.formats.envi_bands import in_nm
from napari_hsisynth.formats.envi_header import MOST_BYTES, read_header

IMAGE = values_of((3, 4, 5), 12)
GOOD = b"""ENVI
; made by hand
description = {a test}
samples = 4
lines = 3
bands = 5
header offset = 0
file type = ENVI Standard
data type = 12
interleave = bsq
byte order = 0
wavelength units = nm
wavelength = {500, 510.5, 520, 530, 540}
fwhm = {5, 5, 6, 6, 6}
bbl = {1, 1, 0, 1, 1}
"""
#: No refused header may make us ask for more than this, bytes.
ALLOWED_PEAK = 50_000_000


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a header beside the values of IMAGE and returns its path."""
    (tmp_path / "a.dat").write_bytes(IMAGE.transpose(2, 0, 1).tobytes())

    def put(text):
        (tmp_path / "a.hdr").write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "a.hdr"

    return put


def test_the_good_header_is_good(write):
    cube = read_cube(write(GOOD))
    np.testing.assert_array_equal(cube.data, IMAGE.transpose(2, 0, 1))
    assert cube.wavelengths_nm.tolist() == [500, 510.5, 520, 530, 540]
    assert cube.provenance["fwhm_nm"] == [5, 5, 6, 6, 6]
    assert cube.provenance["bad_bands"] == [2]
    assert cube.notes == ("1 of 5 bands is marked as bad by the file: 2",)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: text.replace(b"\n", b"  \t\n"),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: b"\n \n" + text,
        lambda text: text.replace(b"ENVI\n", b"ENVI description follows\n"),
        lambda text: text.replace(b"samples", b"Samples").replace(b"data type", b"DATA TYPE"),
        lambda text: text.replace(b"data type", b"data   type").replace(b" = ", b"="),
        lambda text: text.replace(b"= bsq", b"= BsQ"),
        lambda text: text.replace(b"header offset = 0\n", b""),
        lambda text: text.replace(b", 5", b"\n,5"),
        lambda text: text.replace(b", 5", b",\n;, 99\n  5"),
        lambda text: text.replace(b"540}", b"540,\n}"),
        lambda text: text.replace(b"; made", b"  ; x = {made"),
        lambda text: text.replace(b"{5,", b"{\n\n5,"),
        lambda text: text.replace(b"file type = ENVI Standard\n", b"nothing here\n= 5\n"),
        lambda text: text.rstrip(b"\n"),
        lambda text: text.replace(b"lines = 3", b"lines = 3\nlines = 3"),
        lambda text: text.replace(b"a test", "Käse, µm".encode("latin-1")),
        lambda text: text.replace(b"= nm", b"= Nanometers"),
    ],
)
def test_quirks_of_real_headers_change_nothing(write, change):
    assert change(GOOD) != GOOD
    cube, expected = read_cube(write(change(GOOD))), read_cube(write(GOOD))
    np.testing.assert_array_equal(cube.data, expected.data)
    np.testing.assert_array_equal(cube.wavelengths_nm, expected.wavelengths_nm)
    assert cube.provenance["fwhm_nm"] == expected.provenance["fwhm_nm"]
    assert cube.notes == expected.notes


def test_latin_1_and_utf_8_text(write):
    for encoding in ("latin-1", "utf-8"):
        cube = read_cube(
            write(GOOD.replace(b"a test", "Käse".encode(encoding)).replace(b"= nm", "= µm".encode(encoding)))
        )
        assert cube.provenance["envi"] == {"description": "Käse"}
        assert any("wavelengths in µm do not lie between" in note for note in cube.notes)


def test_a_missing_byte_order_is_taken_as_little_endian_and_said(write):
    cube = read_cube(write(GOOD.replace(b"byte order = 0\n", b"")))
    np.testing.assert_array_equal(cube.data, IMAGE.transpose(2, 0, 1))
    assert "the header has no 'byte order': taken as 0, little endian" in cube.notes
    text = GOOD.replace(b"byte order = 0\n", b"").replace(b"data type = 12", b"data type = 1")
    assert not any("byte order" in note for note in read_cube(write(text)).notes)


def test_interleave_may_be_missing_where_it_means_nothing(write):
    text = GOOD.replace(b"interleave = bsq\n", b"")
    with pytest.raises(InputError, match="the header has no 'interleave', and must be bsq, bil or bip"):
        read_cube(write(text))
    np.testing.assert_array_equal(read_cube(write(text), axes="byx").data, IMAGE.transpose(2, 0, 1))
    assert read_cube(write(text.replace(b"bands = 5", b"bands = 1"))).data.shape == (1, 3, 4)


FIELDS = ["samples", "lines", "bands"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "value", ["", "-4", "4.5", "four", "0", "1e3", "0x10", "４", "4 4", "9" * 5000, "nan", "1_0", "[4]", "None"]
)
def test_dimensions_that_make_no_sense_are_named(write, field, value):
    lines = [line for line in GOOD.decode().splitlines() if not line.startswith(f"{field} =")]
    path = write("\n".join([*lines, f"{field} = {value}"]))
    with pytest.raises(InputError, match=rf"a\.hdr: '{field}' is '?.*") as caught:
        read_cube(path)
    assert len(str(caught.value)) < 300
    with pytest.raises(InputError, match=rf"a\.dat: in its header a\.hdr: '{field}' is"):
        read_cube(path.with_suffix(".dat"))


@pytest.mark.parametrize("field", [*FIELDS, "data type"])
def test_fields_without_which_nothing_can_be_read(write, field):
    line = next(line for line in GOOD.splitlines() if line.startswith(field.encode()))
    with pytest.raises(InputError, match=rf"a\.hdr: the header has no '{field}'; the header is cut off"):
        read_cube(write(GOOD.replace(line + b"\n", b"")))
    with pytest.raises(InputError, match=rf"a\.hdr: '{field}' is given twice with different values"):
        read_cube(write(GOOD + line + b"7\n"))


@pytest.mark.parametrize("sizes", [(400_000, 400_000, 16), (10**15 - 1,) * 3, (4, 3, 10**14), (1, 1, 2**40)])
def test_absurd_dimensions_are_refused_before_memory_is_asked_for(write, sizes):
    text = GOOD
    for field, was, size in zip(FIELDS, (4, 3, 5), sizes, strict=True):
        text = text.replace(f"{field} = {was}".encode(), f"{field} = {size}".encode())
    path = write(text)
    for lazy in (False, True):
        tracemalloc.start()
        try:
            with pytest.raises(InputError, match=r"a\.hdr: truncated: .* a\.dat has 120; copy it again"):
                read_cube(path, lazy=lazy)
            assert tracemalloc.get_traced_memory()[1] < ALLOWED_PEAK
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("data type = 12", "data type = 7", "'data type' is 7, which is none; known are 1, 2, 3"),
        ("byte order = 0", "byte order = 2", "'byte order' is 2, and must be 0 or 1"),
        ("byte order = 0", "byte order =", "'byte order' is ''"),
        ("interleave = bsq", "interleave = tile", "'interleave' is 'tile', and must be bsq, bil or bip"),
        ("header offset = 0", "header offset = -8", "'header offset' is '-8'"),
        ("header offset = 0", "header offset = 100", "truncated"),
        ("540}", "540", "the braces of 'wavelength' are never closed"),
        ("1, 1}", "1, 1", "the braces of 'bbl' are never closed"),
        ("bbl = {1, 1, 0, 1, 1}", "reflectance scale factor = 0", "'reflectance scale factor' is 0"),
        ("bbl = {1, 1, 0, 1, 1}", "reflectance scale factor = -1", "'reflectance scale factor' is -1"),
        ("bbl = {1, 1, 0, 1, 1}", "reflectance scale factor = x", "'reflectance scale factor' is 'x', not a number"),
        ("bbl = {1, 1, 0, 1, 1}", "data ignore value = none", "'data ignore value' is 'none', not a number"),
        ("bbl = {1, 1, 0, 1, 1}", "data gain values = {1, 2}", "'data gain values' has 2 values, not 5"),
        ("bbl = {1, 1, 0, 1, 1}", "data offset values = {1,2,3,4,nan}", "are not finite"),
        ("bbl = {1, 1, 0, 1, 1}", "data gain values = {1,2,3,4,x}", "has a value that is not a number"),
    ],
)
def test_other_fields_that_make_no_sense(write, old, new, said):
    assert old.encode() in GOOD
    with pytest.raises(InputError) as caught:
        read_cube(write(GOOD.replace(old.encode(), new.encode())))
    assert said in str(caught.value)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("540}", "540, 550}", "'wavelength' has 6 values, not 5, and was left out"),
        ("540}", "x}", "'wavelength' has a value that is not a number, and was left out"),
        ("540}", "5_40}", "'wavelength' has a value that is not a number, and was left out"),
        ("540}", "-540}", "do not lie between 100 and 25000 nm and were left out"),
        ("540}", "inf}", "do not lie between"),
        ("= nm", "= Index", "are in units of 'Index', so only numbers of bands, and were left out"),
        ("6, 6}", "6}", "'fwhm' has 4 values, not 5, and was left out"),
        ("6, 6}", "6, -6}", "'fwhm' has values that are no widths, and was left out"),
        ("0, 1, 1}", "0}", "'bbl' has 3 values, not 5, and was left out"),
        ("made by hand", "\nfoo = 1\nfoo = 2", "given twice in the header, the last one was taken: foo"),
        ("made by hand", "\nfoo = " + "x" * 200_000, "1 fields of the header are too long and were not kept"),
    ],
)
def test_what_does_not_fit_is_left_out_and_said(write, old, new, said):
    cube = read_cube(write(GOOD.replace(old.encode(), new.encode(), 1)))
    np.testing.assert_array_equal(cube.data, IMAGE.transpose(2, 0, 1))
    assert any(said in note for note in cube.notes), cube.notes
    if "wavelength" in said:
        assert not cube.wavelengths_known
        assert any("'fwhm' was left out" in note for note in cube.notes)


@pytest.mark.parametrize(
    ("units", "values", "nm", "said"),
    [
        ("nm", [400.25, 700], [400.25, 700], ""),
        ("Nanometers", [400, 700], [400, 700], ""),
        ("Micrometers", [0.4, 2.5], [400, 2500], ""),
        ("um", [0.4, 2.5], [400, 2500], ""),
        ("µm", [0.4, 2.5], [400, 2500], ""),  # micro sign
        ("μm", [0.4, 2.5], [400, 2500], ""),  # Greek letter
        ("microns", [0.4, 2.5], [400, 2500], ""),
        ("Millimeters", [0.0004, 0.0025], [400, 2500], ""),
        ("Centimeters", [0.00004, 0.00025], [400, 2500], ""),
        ("Meters", [4e-7, 2.5e-6], [400, 2500], ""),
        ("Angstroms", [4000, 25000], [400, 2500], ""),
        ("Wavenumber", [25000, 4000], [400, 2500], "converted from Wavenumber"),
        ("cm-1", [25000, 4000], [400, 2500], "converted from cm-1"),
        ("GHz", [749481.145, 119916.9832], [400, 2500], "converted from GHz"),
        ("MHz", [749481145, 119916983.2], [400, 2500], "converted from MHz"),
        ("Unknown", [400, 2500], [400, 2500], "units are 'Unknown': taken as nm by their size"),
        ("Unknown", [0.4, 2.5], [400, 2500], "units are 'Unknown': taken as µm by their size"),
        ("", [400, 2500], [400, 2500], "units are missing: taken as nm by their size"),
        ("", [0.4, 2.5], [400, 2500], "units are missing: taken as µm by their size"),
        ("furlongs", [0.4, 2.5], [400, 2500], "units are 'furlongs': taken as µm by their size"),
    ],
)
def test_units_of_wavelengths(tmp_path, units, values, nm, said):
    widths = [abs(value) / 100 for value in values]
    path = write_pair(
        tmp_path,
        values_of((2, 3, 2), 4),
        wavelength=listed(values),
        fwhm=listed(widths),
        wavelength_units=units or None,
    )
    cube = read_cube(path)
    np.testing.assert_allclose(cube.wavelengths_nm, nm, rtol=1e-9)
    # one per cent stays one per cent, whatever the unit
    np.testing.assert_allclose(cube.provenance["fwhm_nm"], np.array(nm) / 100, rtol=1e-9)
    assert [said in note for note in cube.notes] == ([True] if said else [])
    assert cube.wavelengths_known


@given(st.lists(st.floats(100, 25_000), min_size=1, max_size=5))
def test_wavelengths_in_nm_keep_every_bit(values):
    found, notes = in_nm(np.array(values), "nm")
    assert found.tolist() == values
    assert notes == ()


@pytest.mark.parametrize(
    "text",
    [
        b"ENVI\n" + b"x" * (MOST_BYTES + 1),
        b"ENVI\n" + b"a = {" + b"1,\n" * 500_000,
        b"ENVI\n" + b"".join(b"f%d = 1\n" % number for number in range(100_000)),
        GOOD + b"\nlong = {" + b"12," * 1_300_000 + b"}",
        GOOD.replace(b"540}", b"540" + b",12" * 1_300_000 + b"}"),
        GOOD + b"\n" + b"\n" * 4_000_000,
        GOOD + b"hsisynth provenance = " + b"[" * 4_000_000,
        GOOD + b'hsisynth provenance = "' + b"\\" * 100_000,
        GOOD + b'hsisynth provenance = "' + b"[" * 100_000 + b'"',
    ],
)
def test_long_headers_cost_little(write, text):
    path = write(text)
    tracemalloc.start()
    try:
        with contextlib.suppress(InputError):
            read_cube(path)
        assert tracemalloc.get_traced_memory()[1] < ALLOWED_PEAK
    finally:
        tracemalloc.stop()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    hits=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=5),
    cut=st.integers(0, 60),
)
def test_flipped_bytes_and_cuts_give_a_cube_or_one_clear_error(write, hits, cut):
    damaged = bytearray(GOOD)
    for place, value in hits:
        damaged[place] = value
    path = write(bytes(damaged[: len(damaged) - cut]))
    for name in (path, path.with_suffix(".dat")):
        found = error = None
        try:
            found = describe(name)
        except InputError as caught:
            error = str(caught)
        if error is None:
            json.dumps(found, allow_nan=False)
        else:
            assert "\n" not in error
            assert len(error) < 500


NAMES = st.sampled_from([line.split(b" =")[0].decode() for line in GOOD.splitlines() if b" = " in line])
EXTRA = st.sampled_from(
    [
        *("reflectance scale factor", "data ignore value", "data gain values", "data offset values", "data file"),
        *("file compression", "major frame offsets", "hsisynth data", "hsisynth provenance", "hsisynth wavelengths"),
    ]
)
VALUES = (
    st.integers(-(10**20), 10**20).map(str)
    | st.floats().map(str)
    | st.text(max_size=20)
    | st.lists(st.floats() | st.integers() | st.text(max_size=3), max_size=6).map(listed)
    | st.sampled_from(["{", "}", "{{", "{}", "bip", "BIL", "1", "6", "5", "nm", '"{}"', "a.dat", "x.0badf00d.dat"])
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(fields=st.dictionaries(NAMES | EXTRA | st.text(max_size=8), VALUES, min_size=1, max_size=4))
def test_any_values_of_fields_give_a_cube_or_one_clear_error(write, fields):
    kept = [line for line in GOOD.decode().splitlines() if line.split(" =")[0] not in fields]
    text = "\n".join([*kept, *(f"{name} = {value}" for name, value in fields.items())])
    path = write(text.encode("utf-8", "replace"))
    with contextlib.suppress(InputError):
        json.dumps(describe(path), allow_nan=False)
    assert sorted(found.name for found in path.parent.iterdir()) == ["a.dat", "a.hdr"]


def test_our_reader_agrees_with_spectral_on_what_both_take(write):
    import spectral.io.envi

    path = write(GOOD)
    reference = spectral.io.envi.read_envi_header(str(path))
    header = read_header(path)
    assert set(header.fields) == set(reference)
    for name, value in reference.items():
        if isinstance(value, list):
            assert header.items(name, 100) == value
        else:
            assert header.text(name) == value
