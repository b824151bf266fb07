"""ENVI headers: the text beside a raw file that says how its values lie in it.

Read here and not by the `spectral` package, whose parser takes no Latin-1 text, no byte order mark and no indented
comment, reads files of any length, and lets the last of two contradicting lines win without a word.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError

MAGIC = b"ENVI"
#: Real headers have some 100 KiB even for thousands of bands; nobody has to hold more in memory to find out.
MOST_BYTES = 2**22
_MOST_FIELDS = 5_000
#: Fields longer than this are not kept for provenance, characters.
_LONGEST_KEPT = 100_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: A line like this inside braces is the next field: the braces were never closed.
_NEXT_FIELD = re.compile(rb"[A-Za-z][\w .-]*=\s*\{")


def is_header(head: bytes) -> bool:
    """Whether a file with these first bytes is an ENVI header."""
    return head.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(MAGIC)


@dataclass(frozen=True)
class EnviHeader:
    """The fields of a header as text.

    Parameters
    ----------
    path : pathlib.Path
    fields : mapping of str to str
        By name in lower case. Values in braces keep them and their line ends.
    twice : tuple of str
        Fields that are given again with another value; the last one counts.

    Raises
    ------
    InputError
        By all methods, if a field is not what it should be; the message names it.
    """

    path: Path
    fields: Mapping[str, str]
    twice: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def text(self, name: str) -> str:
        """Return a field without its braces on one line; empty where there is none."""
        return " ".join(_inside(self.fields.get(name, "")).split())

    def whole(self, name: str, default: int | None = None) -> int:
        """Return a field that is a whole number of 0 or more."""
        if name not in self.fields:
            if default is None:
                raise InputError(f"the header has no '{name}'", fix="the header is cut off, or not that of an image")
            return default
        if name in self.twice:
            raise InputError(f"'{name}' is given twice with different values", fix="correct the header")
        text = self.text(name)
        if not re.fullmatch(r"\+?[0-9]{1,15}", text):
            raise InputError(f"'{name}' is '{_short(text)}', not a whole number of 0 or more", fix="correct the header")
        return int(text)

    def number(self, name: str) -> float | None:
        """Return a field that is a number, maybe NaN or infinite; None where there is none."""
        if not self.text(name):
            return None
        try:
            return _number(self.text(name))
        except ValueError:
            raise InputError(f"'{name}' is '{_short(self.text(name))}', not a number") from None

    def numbers(self, name: str, count: int) -> NDArray[np.float64]:
        """Return a field that is a list of `count` numbers, shape (count,)."""
        body = _inside(self.fields.get(name, ""))
        found = sum(1 for _ in re.finditer(r"[^\s,]+", body))
        if found != count:  # and splitting text of any length is left to lists that fit
            raise InputError(f"'{name}' has {found} values, not {count}")
        try:
            return np.array([_number(item) for item in re.split(r"[\s,]+", body.strip(" \n\t,"))], dtype=np.float64)
        except ValueError:
            raise InputError(f"'{name}' has a value that is not a number") from None

    def items(self, name: str, most: int) -> list[str]:
        """Return a field that is a list of texts, of which there may be `most`."""
        body = _inside(self.fields.get(name, "")).strip(", \n\t")
        if body.count(",") >= most:
            raise InputError(f"'{name}' has {body.count(',') + 1} values, not {most}")
        return [" ".join(item.split()) for item in body.split(",")] if body else []

    def described(self, used: frozenset[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return all fields but the `used` ones as JSON types, and which ones were too long to be kept."""
        left = {name: value for name, value in self.fields.items() if name not in used}
        kept = {name: _json_value(name, value) for name, value in left.items() if len(value) <= _LONGEST_KEPT}
        total = sum(len(name) + len(left[name]) for name in kept)
        if total > _LONGEST_KEPT:  # fields of any number, none of them long
            kept = {}
        return kept, tuple(name for name in left if name not in kept)


def read_header(path: Path) -> EnviHeader:
    """Read a header: UTF-8 or Latin-1, any line ends, comment lines, keys in any case, braces over many lines.

    Raises
    ------
    InputError
        If it is not an ENVI header, is longer than `MOST_BYTES`, or if braces are never closed.
    """
    with open(path, "rb") as handle:
        raw = handle.read(MOST_BYTES + 1)
    if not is_header(raw[:2048]):
        raise InputError("not an ENVI header: its first line is not ENVI")
    if len(raw) > MOST_BYTES:
        raise InputError(f"not an ENVI header: it is longer than {MOST_BYTES / 2**20:g} MiB")
    encoding = "utf-8"
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"
    fields: dict[str, str] = {}
    twice = []
    lines = io.BytesIO(raw.removeprefix(_BYTE_ORDER_MARK).replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    name, value = "", bytearray()
    for line in map(bytes.strip, lines):
        if not line or line.startswith(b";"):
            continue
        if not name:
            key, equals, rest = line.partition(b"=")
            name = " ".join(key.decode(encoding).split()).lower()
            if not equals or not name:  # "ENVI" itself, and lines that say nothing
                name = ""
                continue
            value = bytearray(rest.strip())
        else:
            if name != "description" and _NEXT_FIELD.match(line):
                break
            value += b"\n" + line
        if value.startswith(b"{") and not value.endswith(b"}"):
            continue
        text = value.decode(encoding)
        if name in fields and fields[name] != text:
            twice.append(name)
        fields[name], name = text, ""
        if len(fields) > _MOST_FIELDS:
            raise InputError(f"not an ENVI header: it has more than {_MOST_FIELDS:,} fields")
    if name:
        raise InputError(f"the braces of '{_short(name)}' are never closed", fix="the header is cut off or damaged")
    return EnviHeader(path, fields, tuple(dict.fromkeys(twice)))


def _inside(value: str) -> str:
    return value[1:-1] if value.startswith("{") and value.endswith("}") else value


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."


def _number(text: str) -> float:
    if "_" in text:  # Python reads 1_0 as 10
        raise ValueError
    return float(text)


def _json_value(name: str, value: str) -> Any:
    """Return a field as text, or as a list of numbers or of texts where it is a list in braces."""
    if not value.startswith("{") or name == "description":
        return " ".join(_inside(value).split())
    items = [" ".join(item.split()) for item in _inside(value).strip(", \n\t").split(",")]
    try:
        numbers = [int(item) if re.fullmatch(r"[+-]?[0-9]{1,15}", item) else _number(item) for item in items]
    except ValueError:
        return items
    return numbers if np.isfinite(numbers).all() else items


def quoted(text: str) -> str:
    """Return any text as a JSON string on one ASCII line without braces, so that every reader takes it for a word."""
    return json.dumps(text).replace("{", "\\u007b").replace("}", "\\u007d")


def unquoted(header: EnviHeader, name: str) -> str:
    """Return what `quoted` has put into a field; empty where there is none."""
    if name not in header:
        return ""
    try:
        found = json.loads(header.fields[name])
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, str):
        raise InputError(f"damaged: '{name}' is not text in quotes")
    return found
