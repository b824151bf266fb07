"""The data tables that ship with the package; their sources are named in ``data/NOTICE.md``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray


@cache
def table(name: str) -> MappingProxyType[str, NDArray[np.float64]]:
    """Read ``data/<name>.csv``: one read-only array per column, by the column's name."""
    text = (files("napari_hsisynth.optics") / "data" / f"{name}.csv").read_text(encoding="utf-8")
    header, *rows = text.splitlines()
    columns = np.array([row.split(",") for row in rows], dtype=np.float64).T
    columns.flags.writeable = False
    return MappingProxyType(dict(zip(header.split(","), columns, strict=True)))
