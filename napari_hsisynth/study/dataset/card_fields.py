"""What a card has to hold so that it can be used: names and types, checked before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.diagnosis import Diagnosis

_NUMBER = (int, float)


@dataclass(frozen=True)
class _ListOf:
    kind: Any
    length: int | None = None


@dataclass(frozen=True)
class _ByName:
    """An object with any names, or with diagnoses as names."""

    kind: Any
    diagnoses: bool = False


@dataclass(frozen=True)
class _Maybe:
    """Something that may be missing or null."""

    kind: Any


_FIGURE = {
    "label": _Maybe(str),
    "value": _Maybe(_NUMBER),
    "unit": _Maybe(str),
    "ci": _Maybe(_ListOf(_NUMBER, 2)),
    "floor": _Maybe(_NUMBER),
}
#: What was measured on a set.
EVALUATION = {
    "set": str,
    "run": str,
    "split": _Maybe(str),
    "diagnosis": _Maybe(str),
    "n_real": _Maybe(int),
    "n_synthetic": _Maybe(int),
    "n_set": _Maybe(int),
    "figures": _ByName(_FIGURE),
}
_COUNT_BY_DIAGNOSIS = _ByName(int, diagnoses=True)
_TRAINING_DATA = {"study": str, "notes": str, "fingerprint": str, "crops": _COUNT_BY_DIAGNOSIS}
_GENERATOR = {
    "run": str,
    "model": str,
    "phantom": bool,
    "known": bool,
    "configuration": _Maybe(_ByName(object)),
    "made_with": _Maybe(_ByName(object)),
    "training_data": _Maybe(_TRAINING_DATA),
    "drawing": _Maybe(_ByName(int)),
}
CARD_FIELDS = {
    "title": str,
    "licence": str,
    "phantom": bool,
    "table_sha256": str,
    "cubes": {"wavelengths_nm": _ListOf(_NUMBER)},
    "generators": _ListOf(_GENERATOR),
    "evaluations": _ListOf(EVALUATION),
}


def check_card(card: dict[str, Any], *, where: object) -> None:
    """Raise InputError, naming the field, if something that is read of a card is missing or of another type."""
    check_fields(card, CARD_FIELDS, where=where)
    for number, about in enumerate(card["generators"]):
        missing = [name for name in ("configuration", "made_with", "training_data") if about.get(name) is None]
        if about["known"] and missing:
            raise _wrong(f"generators[{number}].{missing[0]}", where)


def check_fields(value: Any, kind: Any, *, where: object, name: str = "") -> None:
    """Raise InputError if a value read from JSON is not of a kind: a type, several, or one of the forms above."""
    inside: dict[str, tuple[Any, Any]] = {}  # by name: the values in this one, and their kinds
    dot = f"{name}." if name else ""
    if isinstance(kind, _Maybe):
        inside = {} if value is None else {name: (value, kind.kind)}
    elif isinstance(kind, dict):
        _check_type(value, dict, name, where)
        inside = {dot + key: (value.get(key), inner) for key, inner in kind.items()}
    elif isinstance(kind, _ByName):
        _check_type(value, dict, name, where)
        if kind.diagnoses and not value.keys() <= {diagnosis.value for diagnosis in Diagnosis}:
            raise _wrong(name, where)
        inside = {dot + key: (inner, kind.kind) for key, inner in value.items()}
    elif isinstance(kind, _ListOf):
        _check_type(value, list, name, where)
        if kind.length not in (None, len(value)):
            raise _wrong(name, where)
        inside = {f"{name}[{number}]": (inner, kind.kind) for number, inner in enumerate(value)}
    else:
        _check_type(value, kind, name, where)
    for key, (inner, its_kind) in inside.items():
        check_fields(inner, its_kind, where=where, name=key)


def _check_type(value: Any, kind: Any, name: str, where: object) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind not in (bool, object)):
        raise _wrong(name, where)


def _wrong(name: str, where: object) -> InputError:
    return InputError(f"'{name}' is missing or not what it should be", where=where, fix="copy the data set again")
