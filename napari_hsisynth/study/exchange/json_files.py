"""JSON of other programs: read whole, or refused in one clear sentence."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_hsisynth.errors import InputError

#: Signs beyond 16 bits are written as two halves; a half alone is no text.
_HALF_A_SIGN = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(path: Path) -> Any:
    """Read a JSON file in UTF-8.

    Numbers that are not finite, which JSON does not have but programs write, become None.

    Raises
    ------
    InputError
        If there is no such file, or it is not JSON.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        value = json.loads(text, parse_constant=lambda _name: None, parse_float=_finite)
        if _HALF_A_SIGN.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except FileNotFoundError:
        raise InputError("no such file", where=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", where=path) from None
    except UnicodeError:
        raise InputError("not text in UTF-8", where=path) from None
    except RecursionError:
        raise InputError("not readable: it is nested too deep", where=path) from None
    except ValueError as error:
        raise InputError(f"not JSON ({error})", where=path) from None
    return value


def the_json(src: Path, name: str) -> Path:
    """Return the file at `src`; of a folder, the one called `name`, else the only JSON in it."""
    if not src.is_dir():
        return src
    if (src / name).is_file():
        return src / name
    inside = sorted(path for path in src.glob("*.json") if not path.name.startswith("."))
    if len(inside) != 1:
        raise InputError(f"{len(inside) or 'no'} JSON files in this folder", where=src, fix="name the file itself")
    return inside[0]


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Return the objects in a list; of anything else, none."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def size_of(height: Any, width: Any) -> tuple[int, int] | None:
    """Return the size of a picture as a file says it, (height, width); None if it does not."""
    if all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in (height, width)):
        return height, width
    return None


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def write_compact(path: Path, value: Any) -> None:
    """Write JSON with little white space: run lengths would else take a line per number."""
    path.write_text(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ": ")) + "\n", "utf-8")
