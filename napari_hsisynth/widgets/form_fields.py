"""Field editors of a form: one magicgui widget per pydantic field, and the way between what is shown and the value.

A text editor never clamps: what was typed stays, and pydantic says what is wrong with it.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal, get_args, get_origin

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, LineEdit
from pydantic.fields import FieldInfo
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QWidget

from napari_hsisynth.widgets.invalid_mark import mark_invalid
from napari_hsisynth.widgets.path_field import PathEdit, PathField

#: Full names of fields whose names are abbreviations.
LABELS = {
    "lr": "learning rate",
    "max_images": "training length",
    "latent_dim": "latent size",
    "beta": "beta (KL weight)",
    "photos": "photographs",
    "rgb_weight": "RGB weight",
}

#: Constraint of annotated_types -> (pydantic's type of error, words).
_BOUNDS = {
    "ge": ("greater_than_equal", "at least"),
    "gt": ("greater_than", "more than"),
    "le": ("less_than_equal", "at most"),
    "lt": ("less_than", "less than"),
    "multiple_of": ("multiple_of", "a multiple of"),
}

_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")


def label_of(name: str, info: FieldInfo) -> str:
    """Name of a field for eyes, without its unit."""
    return info.title or LABELS.get(name) or name.replace("_", " ")


def _extra(info: FieldInfo, key: str) -> Any:
    return info.json_schema_extra.get(key) if isinstance(info.json_schema_extra, dict) else None


def unit_of(info: FieldInfo) -> str:
    """Return the unit that the schema carries, or an empty string."""
    return str(_extra(info, "unit") or "")


def number_text(value: float, grouped: bool = False) -> str:
    """Write a number as a person would: integers in full, small and large floats as 2e-4, exactly convertible back.

    Parameters
    ----------
    value : int or float
    grouped : bool
        Write thousands separators into integers.
    """
    if isinstance(value, int):
        return f"{value:,}" if grouped else str(value)
    if value == 0 or not np.isfinite(value) or 1e-2 <= abs(value) < 1e5:
        return repr(float(value)).removesuffix(".0")
    return np.format_float_scientific(value, trim="-", exp_digits=1).replace("e+", "e")


def parse_number(text: str, whole: bool) -> int | float | str:
    """Read what a person typed: ``2e-4``, ``200,000``, ``1_000``, ``2e5`` for a whole number; else the text itself."""
    plain = text.strip().replace(" ", "").replace("_", "")
    if _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        if whole and re.fullmatch(r"[+-]?\d+", plain):
            return int(plain)  # not through float, which would round a long seed
        number = float(plain)
    except ValueError:
        return text.strip()
    return int(number) if whole and number.is_integer() else number


class FieldEditor:
    """One field of a form: label, tooltip, widget and value.

    Parameters
    ----------
    name : str
        The field's name in the configuration.
    info : pydantic.fields.FieldInfo
        Its type, bounds, unit and description.

    Attributes
    ----------
    widget : magicgui.widgets.bases.ValueWidget
        What is shown.
    label, unit : str
        The field's name for eyes, and the unit of its value.
    advanced : bool
        Whether the schema says that it rarely needs a change.
    hint : str
        Description, bounds, default and the command line's spelling.
    """

    def __init__(self, name: str, info: FieldInfo) -> None:
        self.name, self.info = name, info
        self.label = label_of(name, info)
        self.unit = unit_of(info)
        self.advanced = bool(_extra(info, "advanced"))
        self.widget, self._to_shown, self._to_value = _editor_for(info, bool(self.unit))
        self.hint = _hint(self)
        native: QWidget = self.widget.native
        #: What is marked: of a path its line, without the button.
        self._marked: QWidget = native.line if isinstance(native, PathField) else native
        for one in {native, self._marked}:
            one.setAccessibleName(self.label)
            one.setAccessibleDescription(self.hint)
            one.setToolTip(self.hint)
        native.setObjectName(f"field-{name}")
        if isinstance(self.widget, ComboBox):
            native.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self._wheel_guard = _WheelGuard(native)
            native.installEventFilter(self._wheel_guard)
        if not info.is_required():
            self.value = info.get_default(call_default_factory=True)

    @property
    def value(self) -> Any:
        """The value that is shown; text that cannot be read as the field's type is returned as it is."""
        return self._to_value(self.widget.value)

    @value.setter
    def value(self, value: Any) -> None:
        self.widget.value = self._to_shown(value)

    def mark(self, problem: str) -> None:
        """Mark the field as invalid with the reason in its tooltip, or clear the mark with an empty string."""
        mark_invalid(self._marked, problem, self.hint)

    def unusable_path(self) -> str:
        """Why the path in the field cannot be one; empty if it can, and for all other fields."""
        native = self.widget.native
        return native.look() if isinstance(native, PathField) else ""


class _WheelGuard(QObject):
    """Scrolling a dock past a list of choices must not change the choice; a focused one still turns."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Leave wheel events to the scroll area while the widget has no focus."""
        wheel = event is not None and event.type() == QEvent.Type.Wheel
        if event is not None and wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


_Convert = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _editor_for(info: FieldInfo, grouped: bool) -> tuple[Any, _Convert, _Convert]:
    """Return (widget, value -> shown, shown -> value) for a field."""
    options = _members(info.annotation)
    optional = type(None) in options
    options = [option for option in options if option is not type(None)]
    if options == [bool] and not optional:
        return CheckBox(), bool, _same
    choices = _choices(options)
    if choices is not None:
        if optional:
            choices.insert(0, (_none_word(info), None))
        # Strings stand for the values, because a combo box compares with ==, for which True and 1 are the same.
        values = dict(choices)
        texts = {(type(value), value): text for text, value in choices}
        return (
            ComboBox(choices=list(values)),
            lambda value: texts[type(value), value],
            lambda text: values.get(text, text),
        )
    if options and all(option in (int, float) for option in options):
        whole = float not in options
        to_value: _Convert = lambda text: parse_number(text, whole)  # noqa: E731
        to_shown: _Convert = lambda value: value if isinstance(value, str) else number_text(value, grouped)  # noqa: E731
    elif len(options) == 1 and get_origin(options[0]) in (tuple, list):
        to_value = _parse_sequence
        to_shown = _sequence_text
    else:
        to_value, to_shown = str.strip, str
        asks_for = str(_extra(info, "path") or "")
        if asks_for and not optional:
            return PathEdit(f"A {asks_for}", asks_for), to_shown, to_value
    if not optional:
        return LineEdit(), to_shown, to_value
    widget = LineEdit()
    widget.native.setPlaceholderText(_none_word(info))
    return (
        widget,
        lambda value: "" if value is None else to_shown(value),
        lambda text: None if not text.strip() else to_value(text),
    )


def _members(annotation: Any) -> list[Any]:
    """Flatten unions and strip ``Annotated``."""
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        return _members(get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [member for option in get_args(annotation) for member in _members(option)]
    return [annotation]


def _choices(options: list[Any]) -> list[tuple[str, Any]] | None:
    """Return (text, value) pairs if the options are an enumeration of values, else None."""
    found: list[tuple[str, Any]] = []
    for option in options:
        if get_origin(option) is Literal:
            found += [(_choice_text(value), value) for value in get_args(option)]
        elif option is bool:
            found += [("yes", True), ("no", False)]
        elif isinstance(option, type) and issubclass(option, Enum):
            found += [(_choice_text(member.value), member) for member in option]
        else:
            return None
    return found or None


def _choice_text(value: Any) -> str:
    return str(value).replace("_", " ") if isinstance(value, str) else number_text(value)


def _none_word(info: FieldInfo) -> str:
    return str(_extra(info, "none") or "automatic")


def _sequence_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return ", ".join(number_text(item) if isinstance(item, int | float) else str(item) for item in value)


def _parse_sequence(text: str) -> list[Any]:
    parts = [part.strip() for part in text.strip("()[] ").split(",")]
    numbers = [parse_number(part, whole=bool(re.fullmatch(r"[+-]?\d+", part))) for part in parts if part]
    return list(numbers)


def bounds_text(info: FieldInfo) -> str:
    """Bounds of a field in words, such as ``at least 8, at most 512, a multiple of 4``; empty without bounds."""
    found = []
    for constraint in info.metadata:
        for bound, (_, words) in _BOUNDS.items():
            value = getattr(constraint, bound, None)
            if value is not None:
                found.append(f"{words} {number_text(value)}")
    return ", ".join(found)


def _hint(editor: FieldEditor) -> str:
    lines = [editor.info.description or editor.label]
    bounds = bounds_text(editor.info)
    if bounds:
        lines.append(f"{bounds} {editor.unit}".strip())
    elif editor.unit:
        lines.append(f"in {editor.unit}")
    if not editor.info.is_required():
        default = editor.info.get_default(call_default_factory=True)
        shown = editor._to_shown(default)
        word = ("yes" if default else "no") if isinstance(shown, bool) else shown or _none_word(editor.info)
        lines.append(f"default: {word}")
    lines.append(f"on the command line: --set {editor.name}=…")
    return "\n".join(lines)


def in_words(error: Any, info: FieldInfo | None) -> str:
    """Say one of pydantic's errors in plain words, such as ``must be at least 8 px``.

    Parameters
    ----------
    error : dict
        One entry of ``ValidationError.errors()``.
    info : pydantic.fields.FieldInfo or None
        The field, for its unit; None for an error of the whole configuration.
    """
    kind, context = error["type"], error.get("ctx", {})
    unit = f" {unit_of(info)}" if info is not None and unit_of(info) else ""
    typed = error.get("input")
    if isinstance(typed, str) and kind.startswith(("int", "float")):
        if not typed.strip():
            return "needs a number"
        if re.fullmatch(r"\s*[+-]?\d+,\d+\s*", typed):
            return "write decimals with a point, not a comma"
        return f"“{typed}” is not a number"
    if kind in ("int_from_float", "int_type", "int_parsing_size"):
        return "must be a whole number"
    for bound, (name, words) in _BOUNDS.items():
        if kind == name:
            return f"must be {words} {number_text(context[bound])}{unit}"
    if kind == "finite_number":
        return "must be a finite number"
    if kind in ("literal_error", "enum"):
        return f"must be one of {context.get('expected', 'the choices')}"
    if kind in ("missing", "too_short", "too_long"):
        return "needs another number of values"
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message.replace("Input should be", "must be").replace("String should", "must")


def plain(value: Any) -> Any:
    """Turn a field's value into JSON types, as the command line and YAML hold it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, PurePath) else value
