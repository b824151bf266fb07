"""Writes raw files with ENVI headers, independently of the package."""

import numpy as np

#: numpy types by ENVI's numbers, from its documentation.
TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 6: "c8", 9: "c16", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
#: where (line, sample, band) go in the file
ORDERS = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}


def values_of(shape, kind, seed=0):
    """Draw an image (lines, samples, bands) of ENVI's data type `kind` that uses much of its range."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(TYPES[kind])
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    if dtype.kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    return rng.normal(size=shape).astype(dtype)


def write_pair(
    folder, image, *, kind=None, interleave="bsq", order=0, offset=0, data="a.dat", header="a.hdr", **fields
):
    """Write an image (lines, samples, bands) and return the header's path; fields of None are left out."""
    image = np.asarray(image)
    kind = kind or next(number for number, name in TYPES.items() if np.dtype(name) == image.dtype)
    stored = image.transpose(ORDERS[interleave.lower()]).astype(np.dtype(TYPES[kind]).newbyteorder("<>"[order]))
    if data is not None:
        (folder / data).write_bytes(b"\xa5" * offset + stored.tobytes())
    lines, samples, bands = image.shape
    described = {
        "samples": samples,
        "lines": lines,
        "bands": bands,
        "header offset": offset,
        "file type": "ENVI Standard",
        "data type": kind,
        "interleave": interleave,
        "byte order": order,
    } | {name.replace("_", " "): value for name, value in fields.items()}
    text = "ENVI\n" + "".join(f"{name} = {value}\n" for name, value in described.items() if value is not None)
    (folder / header).write_text(text, encoding="utf-8")
    return folder / header


def listed(values):
    """Write values as a list of a header."""
    return "{" + ", ".join(map(str, values)) + "}"
