"""`typed_path`: a path as a person typed it."""

from __future__ import annotations

import os
from pathlib import Path

from napari_hsisynth.errors import InputError


def typed_path(text: str | os.PathLike[str]) -> Path:
    """Return the path that was typed, with ``~`` and ``~name`` as home folders; there need be nothing.

    Raises
    ------
    InputError
        If no home folder is known, or the system refuses to look there: a name too long, a folder without permission.

    Examples
    --------
    >>> typed_path("crops").name
    'crops'
    """
    typed = Path(text)
    try:
        path = typed.expanduser()
    except RuntimeError:
        fix = "write ./ before the name of a file that begins with ~"
        raise InputError("no such home folder is known", where=_shortened(str(typed)), fix=fix) from None
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be looked at: {reason}", where=_shortened(path.name)) from None
    return path


def _shortened(name: str, longest: int = 60) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
