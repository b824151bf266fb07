"""Which cube of a study a picture of another tool shows, told by its name. No file is ever opened by such a name."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath
from urllib.parse import unquote

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.manifest import id_from_name
from napari_hsisynth.study.study import Study

#: Label Studio puts this before the names of files that are uploaded to it.
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")


class CubeNames:
    """The cubes of a study by all names that a picture of them may have: their ids and the stems of their files.

    Parameters
    ----------
    study : Study
    """

    def __init__(self, study: Study) -> None:
        self._known: dict[str, set[str]] = defaultdict(set)
        self._ids = {entry.id.lower(): entry.id for entry in study.entries}
        for entry in study.entries:
            self._known[PurePosixPath(entry.path).stem.lower()].add(entry.id)

    def find(self, picture: str) -> str:
        """Return the id of the cube that a picture shows.

        Parameters
        ----------
        picture : str
            File name, path or address.

        Raises
        ------
        InputError
            If no cube is called so, or several files are.
        """
        stem = stem_of(picture)
        for name in (stem, _UPLOADED.sub("", stem, count=1)):
            for word in (name, _as_id(name)):
                if word.lower() in self._ids:
                    return self._ids[word.lower()]
            found = self._known.get(name.lower(), set())
            if len(found) == 1:
                return next(iter(found))
            if found:
                raise InputError(f"several cubes are made of a file '{name}': {', '.join(sorted(found)[:3])}")
        raise InputError("the study has no cube of this name")


def stem_of(picture: str) -> str:
    r"""Return the file name without suffix in a path or an address.

    Examples
    --------
    >>> stem_of("/data/local-files/?d=set/images/DN_1.png"), stem_of("../a/DN%201.jpg?x=2"), stem_of("C:\\a\\DN 1.tif")
    ('DN_1', 'DN 1', 'DN 1')
    """
    path, _, query = picture.partition("?")
    held = [part.partition("=")[2] for part in query.split("&") if part.startswith(("d=", "path=", "file="))]
    plain = unquote(held[0] if held else path).replace("\\", "/")
    name = plain.rstrip("/").rpartition("/")[2]
    return name.rpartition(".")[0] or name


def _as_id(name: str) -> str:
    try:
        return id_from_name(name)
    except InputError:
        return name
