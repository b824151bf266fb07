"""`ConfigForm`: the form of a pydantic configuration, made from its fields, so that there is no second list of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_hsisynth.widgets.fold import Fold
from napari_hsisynth.widgets.form_fields import FieldEditor, in_words, plain
from napari_hsisynth.widgets.invalid_mark import follow_theme_of_marks

M = TypeVar("M", bound=BaseModel)


class ConfigForm(QWidget, Generic[M]):
    """One row per field of a configuration: the basic ones on top, those marked as advanced folded away.

    An invalid field is marked, its tooltip says why, and `valid` is false until it is right again.

    Parameters
    ----------
    model : type of pydantic.BaseModel
        Its fields carry description, bounds and unit.
    fixed : mapping, optional
        Fields that the form does not show, with their values (may be changed by `fix`).
    parent : QWidget, optional

    Attributes
    ----------
    changed : Signal
        A field was changed, by hand or by `set_values`.
    """

    changed = Signal()

    def __init__(
        self, model: type[M], *, fixed: Mapping[str, Any] | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.model = model
        self._fixed = dict(fixed or {})
        self._config: M | None = None
        self._problems: dict[str, str] = {}
        self.editors = {
            name: FieldEditor(name, info) for name, info in model.model_fields.items() if name not in self._fixed
        }
        self._lay_out()
        for editor in self.editors.values():
            editor.widget.changed.connect(self._check)
        follow_theme_of_marks(self)
        self._check()

    @property
    def valid(self) -> bool:
        """Whether the fields make a configuration."""
        return self._config is not None

    @property
    def problems(self) -> dict[str, str]:
        """Field name -> what is wrong with it, in words; the name is empty for the configuration as a whole."""
        return dict(self._problems)

    def reason(self) -> str:
        """Return the first problem in one line, such as ``image size: must be at least 8 px``, or an empty string."""
        for name, problem in self._problems.items():
            return f"{self.editors[name].label}: {problem}" if name in self.editors else problem
        return ""

    def values(self) -> dict[str, Any]:
        """Return the fields as JSON types; text that cannot be read stays text."""
        shown = {name: plain(editor.value) for name, editor in self.editors.items()}
        return {name: self._fixed.get(name, shown.get(name)) for name in self.model.model_fields}

    def changed_values(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, as JSON types; of a valid form only."""
        config = self.config().model_dump(mode="json")
        default = self.model.model_construct().model_dump(mode="json")
        return {name: value for name, value in config.items() if value != default.get(name)}

    def config(self) -> M:
        """Return the configuration.

        Raises
        ------
        ValueError
            If a field is invalid; `reason` says which.
        """
        if self._config is None:
            raise ValueError(self.reason())
        return self._config

    def set_values(self, values: Mapping[str, Any] | BaseModel) -> None:
        """Show other values; fields that are not named stay as they are.

        Raises
        ------
        KeyError
            If a name is not a field of the configuration.
        """
        given = (
            dict(values) if isinstance(values, Mapping) else {n: getattr(values, n) for n in type(values).model_fields}
        )
        unknown = given.keys() - self.model.model_fields.keys()
        if unknown:
            raise KeyError(f"not a field of {self.model.__name__}: {', '.join(sorted(unknown))}")
        for name, value in given.items():
            if name in self._fixed:
                self._fixed[name] = value
            else:
                with self.editors[name].widget.changed.blocked():
                    self.editors[name].value = value
        self._check()

    def fix(self, name: str, value: Any) -> None:
        """Set a field that is shown elsewhere (such as the device)."""
        if name not in self._fixed:
            raise KeyError(f"{name} is shown in the form")
        self._fixed[name] = value
        self._check()

    def _check(self, _value: Any = None) -> None:
        """Validate, mark what is wrong, and tell."""
        self._problems = {}
        try:
            self._config = self.model.model_validate(self.values())
        except ValidationError as error:
            self._config = None
            for found in error.errors(include_url=False):
                name = str(found["loc"][0]) if found["loc"] else ""
                self._problems.setdefault(name, in_words(found, self.model.model_fields.get(name)))
        for name, editor in self.editors.items():
            if name not in self._problems and (problem := editor.unusable_path()):
                self._config, self._problems[name] = None, problem
            editor.mark(self._problems.get(name, ""))
        if any(self.editors[name].advanced for name in self._problems if name in self.editors):
            self.advanced.set_open(True)  # a marked field must be seen
        self.changed.emit()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._rows(name for name, editor in self.editors.items() if not editor.advanced))
        page = QWidget(self)
        page.setLayout(self._rows(name for name, editor in self.editors.items() if editor.advanced))
        self.advanced = Fold("advanced", page, parent=self)
        self.advanced.button.setToolTip("Show or hide the fields that rarely need a change")
        self.advanced.setVisible(any(editor.advanced for editor in self.editors.values()))
        layout.addWidget(self.advanced)

    def _rows(self, names: Iterable[str]) -> QFormLayout:
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in names:
            editor = self.editors[name]
            native: QWidget = editor.widget.native
            native.setMinimumWidth(1)  # so that the dock may be narrow; the size policy lets it grow
            native.setSizePolicy(QSizePolicy.Policy.Expanding, native.sizePolicy().verticalPolicy())
            label = QLabel(f"{editor.label} ({editor.unit})" if editor.unit else editor.label)
            label.setToolTip(editor.hint)
            label.setBuddy(native)
            rows.addRow(label, native)
        return rows

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.StyleChange:
            follow_theme_of_marks(self)
