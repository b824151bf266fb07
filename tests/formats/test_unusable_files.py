"""Damaged, hostile and foreign files: one InputError that names the file, quickly and without large allocations."""

import contextlib
import os
import struct
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.formats import describe, read_cube, write_cube

SUFFIXES = [".mat", ".npz", ".npy", ".tif", ".hdr", ".dat"]
#: No refused file of this test may make us ask for more than this, bytes.
ALLOWED_PEAK = 50_000_000


def make(path, kind):
    """Write a good small file of a kind."""
    values = np.random.default_rng(0).normal(size=(16, 12, 13)).astype(np.float32)
    if kind == "v5":
        write_cube(path, Cube(values, np.linspace(465, 630, 16), name="a", provenance={"a": 1}))
    elif kind == "v5 compressed":
        scipy.io.savemat(path, {"wavelengths": np.arange(500, 516), "cube": values}, do_compression=True)
    elif kind == "v7.3":
        with h5py.File(path, "w") as file:
            file.create_dataset("cube", data=values.T, compression="gzip").attrs["MATLAB_class"] = np.bytes_("single")
    elif kind == "npz":
        np.savez_compressed(path, cube=values, wavelengths_nm=np.arange(500, 516), name="a", provenance="{}")
    elif kind == "npy":
        np.save(path, values)
    elif kind == "envi":  # its header has tests of its own
        path.with_suffix(".hdr").write_text(
            "ENVI\nsamples = 13\nlines = 12\nbands = 16\ndata type = 4\ninterleave = bsq\nbyte order = 0\n"
        )
        path.write_bytes(values.tobytes())
    elif kind == "tiff of ours":
        write_cube(path, Cube(values, np.linspace(465, 630, 16), name="a", provenance={"a": 1}))
    elif kind == "tiff samples":
        tifffile.imwrite(path, np.moveaxis(values, 0, -1), photometric="minisblack", planarconfig="contig")
    else:
        how = {"compression": "zlib"} if "zlib" in kind else {}
        tifffile.imwrite(path, values, photometric="minisblack", tile=(16, 16) if "tiles" in kind else None, **how)


KINDS = {
    "v5": ".mat",
    "v5 compressed": ".mat",
    "v7.3": ".mat",
    "npz": ".npz",
    "npy": ".npy",
    "tiff": ".tif",
    "tiff zlib": ".tif",
    "envi": ".dat",
    "tiff zlib tiles": ".tif",
    "tiff samples": ".tif",
    "tiff of ours": ".ome.tif",
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Bytes of a good file of every kind."""
    folder = tmp_path_factory.mktemp("good")
    found = {}
    for kind, suffix in KINDS.items():
        path = folder / f"a{suffix}"
        make(path, kind)
        assert read_cube(path).data.shape == (16, 12, 13)
        found[kind] = path.read_bytes()
    return found


@pytest.mark.parametrize("kind", list(KINDS))
def test_truncated_files_are_refused_wherever_they_end(tmp_path, good, kind):
    path = tmp_path / f"a{KINDS[kind]}"
    make(path, kind)  # with its header, where that is a file of its own
    # behind its last page tifffile leaves 16 unused bytes, without which nothing is missing
    whole = good[kind][:-16] if kind.startswith("tiff") else good[kind]
    for end in sorted({1, 3, 7, 100, 127, 128, 135, *np.linspace(1, len(whole) - 1, 40, dtype=int).tolist()}):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"a\.[\w.]+: "):
            read_cube(path)


@pytest.mark.parametrize("kind", list(KINDS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(hits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6), early=st.booleans())
def test_flipped_bytes_give_a_cube_or_one_clear_error(tmp_path, good, kind, hits, early):
    damaged = bytearray(good[kind])
    for place, value in hits:
        damaged[int(place * (min(len(damaged), 600 if early else len(damaged)) - 1))] = value
    path = tmp_path / f"a{KINDS[kind]}"
    make(path, kind)
    path.write_bytes(damaged)
    with contextlib.suppress(InputError):  # anything else that is raised fails the test
        read_cube(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "content", [b"\0" * 5000, b"hello\n" * 300, b"\x89PNG\r\n\x1a\n" + bytes(100), bytes([255]) * 700]
)
def test_other_files_with_our_suffix_are_refused(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.\w+: not an? .*(MATLAB|NumPy|TIFF|ENVI).* file"):
        read_cube(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_missing_and_folders(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with pytest.raises(InputError, match="no such file"):
        read_cube(path)
    path.touch()
    with pytest.raises(InputError, match="the file is empty"):
        read_cube(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="this is a folder"):
        read_cube(path)
    with pytest.raises(InputError, match="this is a folder"):
        describe(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mat")
    with pytest.raises(InputError, match="not a regular file"):
        read_cube(tmp_path / "a.mat")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files(tmp_path):
    make(tmp_path / "a.npy", "npy")
    (tmp_path / "a.npy").chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        read_cube(tmp_path / "a.npy")


def test_a_name_with_a_nul_is_refused(tmp_path):
    with pytest.raises(InputError):
        read_cube(str(tmp_path / "a\0.npy"))


def test_unknown_suffixes_name_the_known_ones(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"no known file format; readable are \.mat, \.npz, \.npy, \.tif"):
        read_cube(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"end the name in one of \.mat, \.npz, \.npy, \.tif"):
        write_cube(tmp_path / "a.xyz", Cube(np.ones((2, 3, 4))))


def npy_header(shape, dtype="<f4"):
    """Return a .npy header that claims `shape`."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def claim_npy(path):
    path.write_bytes(npy_header((16, 400_000, 400_000)) + bytes(500))


def claim_npz(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cube.npy", npy_header((16, 400_000, 400_000)) + bytes(500))


def claim_npz_text(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cube.npy", npy_header((2, 3, 4)) + bytes(96))
        archive.writestr("provenance.npy", npy_header((), "<U900000000") + bytes(96))


def claim_npz_bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("cube.npy", "w") as member:
        member.write(npy_header((16, 300, 4_000)))
        member.write(bytes(16 * 300 * 4000 * 4))
        member.write(bytes(1000))


def claim_v5(path):
    scipy.io.savemat(path, {"cube": np.ones((4, 5, 6), np.float32)})
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<iii", 4, 5, 6))
    content[at : at + 12] = struct.pack("<iii", 400_000, 400_000, 16)
    path.write_bytes(content)


def claim_v5_negative(path):
    scipy.io.savemat(path, {"cube": np.ones((4, 5, 6), np.float32)})
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<iii", 4, 5, 6))
    content[at : at + 12] = struct.pack("<iii", -4, -5, 6)
    path.write_bytes(content)


def claim_v73(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("cube", (16, 400_000, 400_000), "f4", chunks=(1, 100, 100))  # nothing of it is stored


def claim_tiff(path):
    tifffile.imwrite(path, np.ones((8, 8), np.uint8))
    content = bytearray(path.read_bytes())
    for tag in (256, 257):  # width, height
        at = content.index(struct.pack("<HH", tag, 4))
        content[at + 8 : at + 12] = struct.pack("<I", 400_000)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("a.npy", claim_npy),
        ("a.npz", claim_npz),
        ("a.npz", claim_npz_text),
        ("a.mat", claim_v5),
        ("a.mat", claim_v5_negative),
        ("a.mat", claim_v73),
        ("a.tif", claim_tiff),
    ],
)
def test_headers_that_claim_absurd_sizes_are_refused_before_memory_is_asked_for(tmp_path, name, claim):
    path = tmp_path / name
    claim(path)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"a\.\w+: "):
            read_cube(path, mosaic="4x4" if name == "a.tif" else None)
        assert tracemalloc.get_traced_memory()[1] < ALLOWED_PEAK
    finally:
        tracemalloc.stop()


def test_a_well_packed_cube_of_zeros_is_no_bomb(tmp_path):
    claim_npz_bomb(tmp_path / "a.npz")
    assert (tmp_path / "a.npz").stat().st_size < 100_000
    assert read_cube(tmp_path / "a.npz").data.shape == (16, 300, 4000)


def test_writing_where_it_cannot_be(tmp_path):
    cube = Cube(np.ones((2, 3, 4)), [500, 600])
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"file/a\.npz: cannot be written"):
        write_cube(tmp_path / "file" / "a.npz", cube)
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(InputError, match="this is a folder"):
        write_cube(tmp_path / "a.npz", cube)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".mat", ".tif", ".hdr"])
def test_a_full_disk_leaves_the_old_file(tmp_path, suffix, monkeypatch):
    path = tmp_path / f"a{suffix}"
    cube = Cube(np.ones((2, 300, 40), np.float32), [500, 600])
    write_cube(path, cube)
    before = {found.name: found.read_bytes() for found in tmp_path.iterdir()}

    import builtins

    real = builtins.open

    def full(file, mode="r", *args, **kwargs):
        if ".tmp" in str(file) and "w" in mode:
            real(file, "wb").close()
            return real("/dev/full", mode, *args, **kwargs)
        return real(file, mode, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", full)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        write_cube(path, cube.replace(name="new"))
    monkeypatch.undo()
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == before
