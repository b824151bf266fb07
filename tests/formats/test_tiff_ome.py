"""OME-TIFF: headers of other programs, and the files that we write, as other readers see them."""

from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import AmbiguousVariableError, describe, list_formats, read_cube, tiff_write, write_cube

NAMESPACE = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"


def stack(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 60_000, shape).astype(np.uint16)


def with_header(path, pages, xml):
    """Write pages whose OME header is `xml`, as it stands."""
    with tifffile.TiffWriter(path, ome=False) as writer:
        writer.write(pages, photometric="minisblack", metadata=None, description=xml)
    return path


def ome(*images, uuid=""):
    return f'<?xml version="1.0"?><OME xmlns="{NAMESPACE[1:-1]}"{uuid}>{"".join(images)}</OME>'


def image(channels, parts="<TiffData/>", *, order="XYCZT", sizes=(3, 1, 1), name="scene"):
    c, z, t = sizes
    return (
        f'<Image ID="Image:0" Name="{name}"><Pixels DimensionOrder="{order}" Type="uint16" SizeX="30" SizeY="20"'
        f' SizeC="{c}" SizeZ="{z}" SizeT="{t}">{channels}{parts}</Pixels></Image>'
    )


def channel(**attributes):
    words = [f'{name}="{value}"' for name, value in attributes.items()]
    return f"<Channel {' '.join(words)}/>"


# --- headers of other programs


def test_channels_written_by_tifffile_are_bands_with_wavelengths(tmp_path):
    values = stack(4, 20, 30)
    channels = {"Name": ["a", "b", "c", "d"], "EmissionWavelength": [465, 500.5, 610, 588]}
    channels["EmissionWavelengthUnit"] = ["nm"] * 4
    tifffile.imwrite(tmp_path / "a.ome.tif", values, metadata={"axes": "CYX", "Channel": channels, "Name": "leaf"})
    assert tifffile.TiffFile(tmp_path / "a.ome.tif").is_ome
    for lazy in (False, True):
        cube = read_cube(tmp_path / "a.ome.tif", lazy=lazy)
        np.testing.assert_array_equal(cube.data, values)
        assert cube.wavelengths_nm.tolist() == [465, 500.5, 610, 588]
        assert cube.wavelengths_known
        assert (cube.name, cube.provenance["format"], cube.notes) == ("a", "ome-tiff", ())
    assert describe(tmp_path / "a.ome.tif")["variables"][0]["name"] == "leaf"


@pytest.mark.parametrize(
    ("unit", "values"),
    [
        ("nm", (465, 550.3, 612.5)),
        ("µm", (0.465, 0.5503, 0.6125)),
        ("Å", (4650, 5503, 6125)),
        (None, (465, 550.3, 612.5)),
    ],
)
def test_units_of_wavelengths(tmp_path, unit, values):
    units = {} if unit is None else {"EmissionWavelengthUnit": unit}
    channels = "".join(channel(EmissionWavelength=value, **units) for value in values)
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=False) as writer:
        xml = ome(image(channels)).encode("utf-8")
        writer.write(stack(3, 20, 30), photometric="minisblack", metadata=None, description=xml)
    np.testing.assert_allclose(read_cube(tmp_path / "a.tif").wavelengths_nm, [465, 550.3, 612.5], rtol=1e-12)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ([{"Name": "465 nm"}, {"Name": "500.5nm"}, {"Name": "band 3, 610 nm"}], [465, 500.5, 610]),
        ([{"EmissionWavelength": 465}, {"Name": "500nm"}, {"EmissionWavelength": 610, "Name": "1nm"}], [465, 500, 610]),
        ([{"Name": "red"}, {"Name": "green"}, {"Name": "blue"}], None),
        ([{"EmissionWavelength": 465}, {}, {"EmissionWavelength": 610}], None),
        ([{"EmissionWavelength": v} for v in ("nan", "-5", "x")], None),
        ([{"EmissionWavelength": 465}], None),
        ([], None),
    ],
)
def test_wavelengths_or_none_but_never_some(tmp_path, channels, expected):
    path = with_header(tmp_path / "a.tif", stack(3, 20, 30), ome(image("".join(channel(**each) for each in channels))))
    cube = read_cube(path)
    if expected is None:
        assert not cube.wavelengths_known
        assert cube.axis_label == "band"
    else:
        assert cube.wavelengths_nm.tolist() == expected


@pytest.mark.parametrize("order", ["XYCZT", "XYCTZ", "XYZCT", "XYZTC", "XYTCZ", "XYTZC"])
def test_every_order_of_planes(tmp_path, order):
    values = stack(2, 3, 4, 20, 30)  # c z t
    stored = values.transpose(*("CZT".index(axis) for axis in reversed(order[2:])), 3, 4)
    path = with_header(tmp_path / "a.tif", stored.reshape(-1, 20, 30), ome(image("", order=order, sizes=(2, 3, 4))))
    with tifffile.TiffFile(path) as tif:  # an independent reading of the same header
        series = tif.series[0]
        theirs = series.asarray().transpose(*(series.axes.index(axis) for axis in "CZTYX"))
    np.testing.assert_array_equal(theirs, values)
    for z in range(3):
        for t in range(4):
            np.testing.assert_array_equal(read_cube(path, variable=f"scene_z{z}_t{t}").data, values[:, z, t])


def test_planes_one_by_one_in_any_order(tmp_path):
    values = stack(3, 20, 30)
    parts = "".join(f'<TiffData IFD="{page}" FirstC="{c}"/>' for page, c in enumerate((2, 0, 1)))
    path = with_header(tmp_path / "a.tif", values, ome(image("", parts)))
    np.testing.assert_array_equal(read_cube(path).data, values[[1, 2, 0]])


@pytest.mark.parametrize(("sizes", "word"), [((1, 3, 1), "depth"), ((1, 1, 3), "time")])
def test_without_channels_depth_or_time_is_bands_and_it_is_said(tmp_path, sizes, word):
    values = stack(3, 20, 30)
    nm = channel(EmissionWavelength=500)  # of the one channel, and no band's
    cube = read_cube(with_header(tmp_path / "a.tif", values, ome(image(nm, sizes=sizes))))
    np.testing.assert_array_equal(cube.data, values)
    assert word in cube.notes[0]
    assert not cube.wavelengths_known


def test_several_images_are_several_cubes(tmp_path):
    values = stack(6, 20, 30)
    parts = [f'<TiffData IFD="{3 * n}" PlaneCount="3"/>' for n in range(2)]
    path = with_header(
        tmp_path / "a.tif", values, ome(*(image("", part, name=n) for part, n in zip(parts, "ab", strict=True)))
    )
    with pytest.raises(AmbiguousVariableError, match="a 3x20x30 uint16; b 3x20x30 uint16"):
        read_cube(path)
    np.testing.assert_array_equal(read_cube(path, variable="b").data, values[3:])
    twice = with_header(tmp_path / "b.tif", values, ome(*(image("", part) for part in parts)))
    np.testing.assert_array_equal(read_cube(twice, variable="scene#1").data, values[3:])


def test_all_bands_of_one_page(tmp_path):
    values = stack(5, 20, 30)
    channels = channel(SamplesPerPixel=5, Name="x")
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=False) as writer:
        writer.write(
            np.moveaxis(values, 0, -1),
            photometric="minisblack",
            planarconfig="contig",
            metadata=None,
            description=ome(image(channels, sizes=(5, 1, 1))),
        )
    np.testing.assert_array_equal(read_cube(tmp_path / "a.tif").data, values)


# --- other files


def test_further_files_are_named_by_the_header_and_never_opened(tmp_path, monkeypatch):
    values = stack(6, 20, 30)
    channels = "".join(channel(EmissionWavelength=500 + 10 * n) for n in range(6))
    part = '<TiffData FirstC="{}" IFD="0" PlaneCount="3"><UUID FileName="{}">urn:uuid:{}</UUID></TiffData>'
    xml = ome(
        image(channels, part.format(0, "other.tif", 1) + part.format(3, "mine.tif", 2), sizes=(6, 1, 1)),
        uuid=' UUID="urn:uuid:2"',
    )
    with_header(tmp_path / "other.tif", values[:3], xml.replace('UUID="urn:uuid:2"', 'UUID="urn:uuid:1"'))
    path = with_header(tmp_path / "mine.tif", values[3:], xml)
    opened = []
    real = open
    monkeypatch.setattr("builtins.open", lambda file, *a, **k: opened.append(str(file)) or real(file, *a, **k))
    cube = read_cube(path)
    monkeypatch.undo()
    np.testing.assert_array_equal(cube.data, values[3:])
    assert cube.wavelengths_nm.tolist() == [530, 540, 550]
    assert cube.notes == ("6 channels are spread over several files; 3 are in this one",)
    assert not any("other" in name for name in opened)


def test_a_renamed_file_is_still_itself(tmp_path):
    part = '<TiffData IFD="0" PlaneCount="3"><UUID FileName="before.tif">urn:uuid:1</UUID></TiffData>'
    path = with_header(tmp_path / "after.tif", stack(3, 20, 30), ome(image("", part)))
    assert read_cube(path).data.shape == (3, 20, 30)


def test_a_header_that_describes_other_files_only_leaves_the_pages(tmp_path):
    part = '<TiffData IFD="0" PlaneCount="3"><UUID FileName="other.tif">urn:uuid:1</UUID></TiffData>'
    path = with_header(tmp_path / "a.tif", stack(3, 20, 30), ome(image("", part), uuid=' UUID="urn:uuid:2"'))
    cube = read_cube(path)
    assert cube.notes[0] == "each page of the TIFF was taken as a band"


# --- damage


@pytest.mark.parametrize(
    "xml",
    [
        "<OME><Image></OME>",
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><OME>&b;</OME>',
        ome(image("", order="XYQQQ")),
        ome(image("", sizes=("x", 1, 1))),
        ome(image("", sizes=(-3, 1, 1))),
        ome(image("", '<TiffData IFD="1e9"/>')),
        ome(
            '<StructuredAnnotations><CommentAnnotation Namespace="napari-hsisynth/cube"><Value>{}</Value>'
            "</CommentAnnotation></StructuredAnnotations>"
        ),
    ],
)
def test_damaged_headers_are_refused(tmp_path, xml):
    path = with_header(tmp_path / "a.tif", stack(3, 20, 30), xml)
    with pytest.raises(InputError, match=r"a\.tif: damaged: .*OME"):
        read_cube(path)


@pytest.mark.parametrize(
    "parts",
    ['<TiffData IFD="999999999999"/>', '<TiffData PlaneCount="999999999999"/>', '<TiffData FirstC="99999999"/>'],
)
def test_headers_that_claim_absurd_numbers_cost_nothing(tmp_path, parts):
    path = with_header(tmp_path / "a.tif", stack(3, 20, 30), ome(image("", parts, sizes=(10**9, 10**9, 10**9))))
    assert read_cube(path).data.shape[1:] == (20, 30)


# --- what we write


def a_cube():
    values = np.random.default_rng(0).normal(size=(5, 12, 13)).astype(np.float32)
    values[1, 2, 3], values[2, 3, 4] = np.nan, -np.inf
    nm = [465.0, 480.1, 500.123456789, 612.5, 1 / 3 + 700]
    return Cube(values, nm, name="mole <1> & \x01", provenance={"from": "a \x02 \ud800 <&>]]>", "n": [1, None]})


@pytest.mark.parametrize("name", ["a.ome.tif", "a.ome.tiff", "a.tif", "a.TIFF", "A.OME.TIF"])
def test_other_readers_see_channels_with_wavelengths(tmp_path, name):
    cube = a_cube()
    assert write_cube(tmp_path / name, cube) == ()
    values = tifffile.imread(tmp_path / name)
    np.testing.assert_array_equal(values.view(np.uint32), cube.data.view(np.uint32))
    with tifffile.TiffFile(tmp_path / name) as tif:
        assert (tif.byteorder, tif.is_ome, tif.is_bigtiff, len(tif.pages)) == ("<", True, False, 5)
        assert (tif.series[0].kind, tif.series[0].axes, tif.series[0].shape) == ("ome", "CYX", (5, 12, 13))
        assert tif.series[0].dataoffset is not None  # one run, which can be mapped
        root = ElementTree.fromstring(tif.ome_metadata)
    pixels = root.find(f"{NAMESPACE}Image/{NAMESPACE}Pixels")
    channels = pixels.findall(f"{NAMESPACE}Channel")
    assert [float(found.get("EmissionWavelength")) for found in channels] == cube.wavelengths_nm.tolist()
    assert [found.get("Name") for found in channels][:3] == ["465 nm", "480.1 nm", "500.1234568 nm"]
    assert {found.get("EmissionWavelengthUnit") for found in channels} == {"nm"}
    assert (pixels.get("Type"), pixels.get("SizeC"), pixels.get("SizeY")) == ("float", "5", "12")


def test_numbered_bands_get_no_wavelengths(tmp_path):
    write_cube(tmp_path / "a.ome.tif", Cube(np.ones((3, 4, 5))))
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        assert "EmissionWavelength" not in tif.ome_metadata
        assert 'Name="band 2"' in tif.ome_metadata
    assert read_cube(tmp_path / "a.ome.tif").axis_label == "band"


def test_wavelengths_of_our_files_can_be_replaced(tmp_path):
    write_cube(tmp_path / "a.tif", a_cube())
    cube = read_cube(tmp_path / "a.tif", wavelengths_nm=[1, 2, 3, 4, 5])
    assert cube.wavelengths_nm.tolist() == [1, 2, 3, 4, 5]
    assert cube.name == a_cube().name


def test_a_lazy_cube_is_written_in_blocks_however_it_is_stored(tmp_path, monkeypatch):
    values = np.random.default_rng(0).normal(size=(37, 11, 6)).astype(np.float32)
    tifffile.imwrite(tmp_path / "source.tif", values, photometric="minisblack", planarconfig="contig")
    cube = read_cube(tmp_path / "source.tif", lazy=True)
    monkeypatch.setattr(Cube.blocks, "__defaults__", (6 * 11 * 5,))  # five rows at a time
    assert len(list(cube.blocks())) == 8
    write_cube(tmp_path / "a.tif", cube)
    monkeypatch.undo()
    back = read_cube(tmp_path / "a.tif", lazy=True)
    assert back.is_lazy
    np.testing.assert_array_equal(np.asarray(back.data), np.moveaxis(values, -1, 0))


def test_beyond_four_gigabytes_it_is_a_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_write, "_CLASSIC_BYTES", 1000)
    write_cube(tmp_path / "a.tif", a_cube())
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.is_bigtiff
    np.testing.assert_array_equal(read_cube(tmp_path / "a.tif").data, a_cube().data)


def test_what_belongs_to_another_number_of_bands_is_left_out(tmp_path):
    write_cube(tmp_path / "a.tif", a_cube())
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        xml = tif.ome_metadata.replace('SizeC="5"', 'SizeC="4"').replace('PlaneCount="5"', 'PlaneCount="4"')
    path = with_header(tmp_path / "b.tif", a_cube().data[:4], xml)  # as a program does that cuts off a channel
    cube = read_cube(path)
    assert cube.data.shape == (4, 12, 13)
    assert "another number of bands" in cube.notes[0]


def test_suffixes_to_write():
    known = next(known for known in list_formats() if known.name == "tiff")
    assert known.writable
    assert {".tif", ".tiff", ".ome.tif", ".ome.tiff"} <= set(known.suffixes)
