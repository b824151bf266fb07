"""Reference spectra from tables, as programs and people write them."""

import contextlib
import csv
import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import SpectralLibrary, read_library

NM = np.array([400.0, 450.5, 600.0])
VALUES = np.array([[0.1, 0.2, 0.4], [1.0, 2.0, -3.5]])


@pytest.fixture
def put(tmp_path):
    """Return a function that writes a text and returns its path."""

    def write(text, name="lib.csv"):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / name

    return write


def check(library, names=("a", "b"), nm=NM, values=VALUES):
    assert library.names == tuple(names)
    np.testing.assert_array_equal(library.wavelengths_nm, nm)
    np.testing.assert_array_equal(library.values, values)


ROWS = [("400", "0.1", "1"), ("450.5", "0.2", "2"), ("600", "0.4", "-3.5")]


def columns(separator, *head, rows=ROWS):
    return "\n".join(separator.join(row) for row in (*head, *rows)) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        columns(",", ("wavelength_nm", "a", "b")),
        columns(";", ("Wavelength (nm)", "a", "b")),
        columns("\t", ("nm", "a", "b")),
        columns("  ", ("nanometers", "a", "b")),
        columns(", ", ("λ [nm]", '"a"', "b")),
        columns(",", ("nm", "a", "b"), rows=ROWS[::-1]),
        columns(",", ("nm", "a", "b")).replace("\n", "\r\n"),
        columns(",", ("nm", "a", "b")).replace("\n", "\n\n"),
        "# measured\n\n" + columns(",", ("nm", "a", "b")) + "# the end, of, it\n",
        "# nm a b\n" + columns(" "),
        "#nm,a,b\n" + columns(","),
        columns(",", ("µm", "a", "b"), rows=[("0.4", *ROWS[0][1:]), ("0.4505", *ROWS[1][1:]), ("0.6", *ROWS[2][1:])]),
        columns(",", ("wavelength", "a", "b")).replace("wavelength", "Wellenlänge in nm"),
        ",400 nm,450.5 nm,600nm\na,0.1,0.2,0.4\nb,1,2,-3.5\n",
        "nm;400;450.5;600\na;0.1;0.2;0.4\nb;1;2;-3.5\n",
        "name\t600nm\t450.5nm\t400nm\na\t0.4\t0.2\t0.1\nb\t-3.5\t2\t1\n",
    ],
)
def test_tables_in_any_form(put, text):
    library = read_library(put(text))
    if "µm" in text:
        np.testing.assert_allclose(library.wavelengths_nm, NM, rtol=1e-12)
        check(library, nm=library.wavelengths_nm)
    else:
        check(library)
    assert library.source == "lib.csv"
    assert library.notes == (("each row was read as one spectrum",) if "600nm" in text or "nm;400" in text else ())


@pytest.mark.parametrize("separator", [";", "\t", "   "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_decimal_commas_of_european_spreadsheets(put, separator, encoding):
    text = columns(separator, ("Länge_nm", "a", "b")).replace(".", ",")
    library = read_library(put(text.encode(encoding)))
    check(library)
    assert library.notes == ("commas were read as decimal points",)
    wide = ";400,0;450,5;600\na;0,1;0,2;0,4\nb;1;2;-3,5\n"
    library = read_library(put(wide.replace(";", separator) if separator != "   " else wide))
    check(library)
    assert "commas were read as decimal points" in library.notes
    assert any("missing: taken as nm" in note for note in library.notes)


def test_what_the_table_does_not_say_is_assumed_and_said(put):
    library = read_library(put(columns(",")))
    check(library, ("lib 1", "lib 2"))
    assert library.notes == (
        "the spectra have no names",
        "the wavelength units are missing: taken as nm by their size",
    )
    library = read_library(put("0.4 7\n0.5 8\n", "water.txt"))
    check(library, ("water",), [400, 500], [[7, 8]])
    assert "taken as µm by their size" in library.notes[-1]
    library = read_library(put("A title, with a comma\nDate: today\n" + columns(",", ("nm", "a", "b"))))
    check(library)
    assert library.notes == ("the first 2 lines were not read",)
    check(read_library(put("wavenumber,a\n25000,1\n20000,2\n")), ("a",), [400, 500], [[1, 2]])


def test_names_are_told_apart(put):
    check(read_library(put(columns(",", ("nm", "a", "a")))), ("a 1", "a 2"))
    check(read_library(put(columns(",", ("nm", "a", "")))), ("a", "lib 2"))
    # numbers may be names
    check(read_library(put(columns(",", ("nm", "1", "2")))), ("1", "2"))
    check(read_library(put("id,400,450.5,600\n1,0.1,0.2,0.4\n2,1,2,-3.5\n")), ("1", "2"))


def test_missing_values_are_nan_and_bridged_only_inside(put):
    library = read_library(put("nm,a,b\n400,,1\n500,1,2\n600,nan,NA\n700,3,4\n800,-,"))
    np.testing.assert_array_equal(library.values, [[np.nan, 1, np.nan, 3, np.nan], [1, 2, np.nan, 4, np.nan]])
    np.testing.assert_array_equal(
        library.resampled([800, 600, 450, 399]), [[np.nan, 2, np.nan, np.nan], [np.nan, 3, 1.5, np.nan]]
    )


#: As the Spectra dock's export begins, with two cubes, gaps, and two pins of one name.
EXPORT = """\
curve,kind,cube,origin,y,x,n,transform,wavelength_nm,value,standard_deviation
pin 1,pin,DN_1,real,3,4,1,raw,500,0.25,
pin 1,pin,DN_1,real,3,4,1,raw,600,0.5,
pin 1,pin,DN_2,real,3,4,1,raw,500,1,
pin 1,pin,DN_2,real,3,4,1,raw,600,,
pin 2,pin,DN_2,real,5,6,1,raw,550,2,
pin 2,pin,DN_2,real,5,6,1,raw,600,3,
pin 2,pin,DN_2,real,7,8,1,raw,550,4,
pin 2,pin,DN_2,real,7,8,1,raw,600,5,
label 1,label,DN_2,real,,,120,raw,500,6,0.5
label 1,label,DN_2,real,,,120,raw,600,7,0.5
"""


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_exported_table_of_the_spectra_dock(put, separator):
    text = EXPORT.replace(",", separator)
    nan = np.nan
    values = [[0.25, nan, 0.5], [1, nan, nan], [nan, 2, 3], [nan, 4, 5], [6, nan, 7]]
    names = ["pin 1 (DN_1)", "pin 1 (DN_2)", "pin 2 (DN_2) 1", "pin 2 (DN_2) 2", "label 1"]
    library = read_library(put(text))
    check(library, names, [500, 550, 600], values)
    assert library.notes == ()
    assert library.resampled([550])[:, 0].tolist()[::4] == [0.375, 6.5]
    library = read_library(put(text.replace("raw", "snv")))
    assert library.notes == ("the values were transformed when they were exported: snv",)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(
    nm=st.lists(st.floats(100, 25_000), min_size=2, max_size=6, unique=True),
    names=st.lists(
        st.text(st.characters(categories=["L"]), min_size=1, max_size=5).filter(
            lambda name: name.lower() not in ("nan", "na", "none", "inf", "infinity", "value", "mean")
        ),
        min_size=1,
        max_size=4,
        unique=True,
    ),
    separator=st.sampled_from([",", ";", "\t"]),
    layout=st.sampled_from(["columns", "rows", "long"]),
    data=st.data(),
)
def test_what_csv_writes_comes_back(put, nm, names, separator, layout, data):
    values = np.array(data.draw(st.lists(FLOATS, min_size=len(nm) * len(names), max_size=len(nm) * len(names))))
    values = values.reshape(len(names), len(nm))
    if layout == "rows":  # in one direction, or it is no row of wavelengths
        nm = sorted(nm)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator)
    if layout == "columns":
        writer.writerow(["wavelength_nm", *names])
        writer.writerows([place, *row] for place, row in zip(nm, values.T.tolist(), strict=True))
    elif layout == "rows":
        writer.writerow(["wavelength_nm", *(f"{place:.17f}" for place in nm)])
        writer.writerows([name, *row] for name, row in zip(names, values.tolist(), strict=True))
    else:
        writer.writerow(["curve", "wavelength_nm", "value"])
        for name, row in zip(names, values.tolist(), strict=True):
            writer.writerows([name, place, value] for place, value in zip(nm, row, strict=True))
    library = read_library(put(text.getvalue()))
    order = np.argsort(nm)
    check(library, names, np.array(nm)[order], values[:, order])
    np.testing.assert_array_equal(library.resampled(library.wavelengths_nm), library.values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("\n\n", "needs two columns"),
        ("# only a comment\n", "needs two columns"),
        ("hello world\n", "no line begins with two numbers"),
        ("400\n500\n", "needs two columns or more"),
        ("nm,a\n400,1\n", "needs two wavelengths or more"),
        ("nm,a\n400,1\n400,2\n", "the wavelength 400 nm is there more than once"),
        ("nm,a\n400,1\nx,2\n", "row 3 does not begin with a wavelength: 'x, 2'"),
        ("nm,a\n400,1\nnan,2\n", "row 3 does not begin with a wavelength"),
        ("nm,a\n400,1\n500,x\n", "row 3 has a value that is not a number: 'x'"),
        ("nm,a\n400,1\n500,1_0\n", "row 3 has a value that is not a number: '1_0'"),
        ("nm,a\n1,1\n2,1\n", "the wavelengths in nm do not lie between 100 and 25000 nm; give wavelengths in nm"),
        ("index,a\n-1,1\n2,1\n", "do not lie between 100 and 25000 nm"),
        ("nm,400,500\na,1,2,3\n", "row 2 has more values than the others"),
        ("curve,wavelength_nm,value\na,400,1\na,400,2\n", "row 3: 'a' has the wavelength 400 more than once"),
        ("curve,wavelength_nm,value\na,x,1\n", "row 2 has no wavelength and value: 'a, x, 1'"),
        ('nm,"a\n400,1\n', "no line begins with two numbers"),
        (b"\x89PNG\r\n\x1a\n\0\0", "the file is not text"),
        (b"\xff\xfe4", "not a usable spectral library"),
        ("nm," + "x" * 200_000, "not a table of spectra"),
        ("400 1\n" * 2_000_000, "too large for a table of spectra: more than 8 MiB"),
    ],
)
def test_what_is_no_table_of_spectra(put, text, said):
    path = put(text)
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            read_library(path)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    assert said in str(caught.value)
    assert "lib.csv: " in str(caught.value)
    assert len(str(caught.value)) < 400


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(
    text=st.text(st.sampled_from("0123456789.,;\t -+einfa_#\"'\n\r\0é"), max_size=80)
    | st.binary(max_size=40)
    | st.lists(
        st.lists(
            st.sampled_from(["curve", "wavelength_nm", "value", "nm", "400", "500", "1", "", "x", "0,5"]), max_size=4
        ),
        max_size=5,
    ).map(lambda rows: "\n".join(",".join(row) for row in rows))
)
def test_any_text_is_a_library_or_one_clear_error(put, text):
    with contextlib.suppress(InputError):
        library = read_library(put(text))
        assert library.values.shape == (len(library.names), len(library.wavelengths_nm))


# --- the type itself


@given(
    nm=st.lists(st.floats(300, 2500), min_size=2, max_size=8, unique=True).map(sorted),
    slope=st.floats(-5, 5),
    wanted=st.lists(st.floats(200, 2600), min_size=1, max_size=8),
)
def test_straight_lines_are_resampled_without_error_and_nothing_is_extrapolated(nm, slope, wanted):
    nm = np.array(nm)
    library = SpectralLibrary(("up", "flat"), nm, np.stack([slope * nm, np.ones_like(nm)]))
    found, inside = library.resampled(wanted), (np.array(wanted) >= nm[0]) & (np.array(wanted) <= nm[-1])
    np.testing.assert_array_equal(np.isfinite(found), np.stack([inside, inside]))
    np.testing.assert_allclose(found[0, inside], slope * np.array(wanted)[inside], rtol=1e-9, atol=1e-9)
    assert (found[1, inside] == 1).all()


@pytest.mark.parametrize(
    ("names", "nm", "values"),
    [
        (("a",), [400, 500], [[1, 2], [3, 4]]),
        (("a",), [400, 400], [[1, 2]]),
        (("a",), [500, 400], [[1, 2]]),
        (("a",), [400, np.nan], [[1, 2]]),
        ((), [400, 500], np.zeros((0, 2))),
        (("a",), [], np.zeros((1, 0))),
    ],
)
def test_libraries_that_do_not_fit_together(names, nm, values):
    with pytest.raises(InputError):
        SpectralLibrary(names, np.array(nm), np.array(values))
