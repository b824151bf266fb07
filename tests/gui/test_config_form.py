"""The form of a configuration: what is shown, what it gives back, and how it says that something is wrong."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, model_validator
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QComboBox, QLineEdit, QScrollArea

from napari_hsisynth.training.config import MODELS, PRESETS
from napari_hsisynth.widgets.form import ConfigForm
from napari_hsisynth.widgets.form_fields import number_text, parse_number


class Sample(BaseModel):
    """One field of every kind that a configuration may hold."""

    count: int = Field(200_000, ge=1, le=10**9, description="How many", json_schema_extra={"unit": "images"})
    size: int = Field(64, ge=16, multiple_of=16, json_schema_extra={"unit": "px"})
    lr: float = Field(2e-4, gt=0, lt=1)
    flag: bool = True
    mode: Literal["fast_one", "slow"] = "slow"
    compiled: bool | Literal["auto"] = "auto"
    limit: Annotated[int, Field(ge=1)] | None = None
    momenta: tuple[float, float] = (0.5, 0.999)
    note: str = Field("", json_schema_extra={"advanced": True})
    hidden: float = Field(1.0, le=2, json_schema_extra={"advanced": True})

    @model_validator(mode="after")
    def _together(self) -> Sample:
        if self.size > self.count:
            raise ValueError("the size must not exceed the count")
        return self


@pytest.fixture
def form(qtbot) -> ConfigForm:
    form = ConfigForm(Sample)
    qtbot.addWidget(form)
    form.show()
    return form


def native(form: ConfigForm, name: str) -> Any:
    return form.editors[name].widget.native


def test_defaults_are_shown_and_kept(form: ConfigForm) -> None:
    assert form.valid
    assert form.config() == Sample()
    assert form.changed_values() == {}
    assert native(form, "lr").text() == "2e-4"
    assert native(form, "count").text() == "200,000"
    assert native(form, "mode").currentText() == "slow"
    assert native(form, "limit").text() == ""
    assert native(form, "momenta").text() == "0.5, 0.999"


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("lr", "3E-05", 3e-5),
        ("lr", " 0.01 ", 0.01),
        ("count", "2e5", 200_000),
        ("count", "1,000,000", 1_000_000),
        ("count", "50_000", 50_000),
        ("limit", "", None),
        ("limit", "7", 7),
        ("momenta", "0, 0.9", (0.0, 0.9)),
        ("momenta", "(0.1 , 0.2)", (0.1, 0.2)),
    ],
)
def test_free_typing(form: ConfigForm, name: str, typed: str, value: Any) -> None:
    native(form, name).setText(typed)
    assert form.valid, form.reason()
    assert getattr(form.config(), name) == value


@pytest.mark.parametrize(
    ("name", "typed", "says"),
    [
        ("lr", "0", "must be more than 0"),
        ("lr", "0,5", "write decimals with a point, not a comma"),
        ("lr", "fast", "“fast” is not a number"),
        ("lr", "nan", "must be less than 1"),
        ("count", "0", "must be at least 1 images"),
        ("count", "1.5", "must be a whole number"),
        ("count", "", "needs a number"),
        ("size", "40", "must be a multiple of 16 px"),
        ("limit", "0", "must be at least 1"),
        ("momenta", "0.5", "needs another number of values"),
    ],
)
def test_an_invalid_field_is_marked_and_says_why(form: ConfigForm, name: str, typed: str, says: str) -> None:
    before = native(form, name).toolTip()
    native(form, name).setText(typed)
    assert not form.valid
    if name != "lr" or typed != "nan":  # pydantic may name either bound for NaN
        assert form.problems[name] == says
    assert form.reason().startswith(form.editors[name].label)
    assert native(form, name).property("invalid") is True
    assert form.problems[name] in native(form, name).toolTip()
    assert not any(native(form, other).property("invalid") for other in form.editors if other != name)
    with pytest.raises(ValueError, match=form.editors[name].label):
        form.config()
    form.set_values({name: getattr(Sample(), name)})
    assert form.valid
    assert not native(form, name).property("invalid")
    assert native(form, name).toolTip() == before


def test_a_mark_can_be_seen(form: ConfigForm, qtbot) -> None:
    """The property alone changes nothing: the style sheet must draw it."""
    field = native(form, "lr")
    clean = field.grab().toImage()
    field.setText("2e-4")
    assert field.grab().toImage() == clean
    form.editors["lr"].mark("made up")
    assert field.grab().toImage() != clean


def test_a_problem_of_the_whole_is_told(form: ConfigForm) -> None:
    form.set_values({"count": 16, "size": 160})
    assert not form.valid
    assert form.problems == {"": "the size must not exceed the count"}
    assert form.reason() == "the size must not exceed the count"


def test_advanced_fields_are_folded_until_one_is_wrong(form: ConfigForm) -> None:
    assert not native(form, "hidden").isVisible()
    assert native(form, "lr").isVisible()
    native(form, "hidden").setText("3")
    assert native(form, "hidden").isVisible()


def test_tooltips_carry_description_bounds_unit_and_default(form: ConfigForm) -> None:
    hint = native(form, "count").toolTip()
    for part in ("How many", "at least 1", "at most 1000000000 images", "default: 200,000", "--set count="):
        assert part in hint


def test_changed_is_told_once_for_many_values(form: ConfigForm, qtbot) -> None:
    told = []
    form.changed.connect(lambda: told.append(form.values()))
    form.set_values({"lr": 1e-3, "flag": False, "mode": "fast_one", "compiled": True})
    assert len(told) == 1
    assert form.changed_values() == {"lr": 1e-3, "flag": False, "mode": "fast_one", "compiled": True}
    with pytest.raises(KeyError, match="learning"):
        form.set_values({"learning": 1})


def test_fixed_fields_are_not_shown_but_count(qtbot) -> None:
    form = ConfigForm(Sample, fixed={"mode": "slow"})
    qtbot.addWidget(form)
    assert "mode" not in form.editors
    form.fix("mode", "fast_one")
    assert form.config().mode == "fast_one"
    with pytest.raises(KeyError):
        form.fix("lr", 1.0)


def test_scrolling_past_a_choice_does_not_change_it(qtbot) -> None:
    form = ConfigForm(Sample)
    area = QScrollArea()
    area.setWidget(form)
    qtbot.addWidget(area)
    area.show()
    choice = native(form, "mode")
    assert isinstance(choice, QComboBox)
    form.editors["lr"].widget.native.setFocus()
    where = QPointF(choice.rect().center())
    turned = QWheelEvent(
        where,
        choice.mapToGlobal(where),
        QPoint(0, 120),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(choice, turned)
    assert choice.currentText() == "slow"


def _field_values(info: Any) -> st.SearchStrategy[Any]:
    """Draw allowed values of a field from its bounds, as its schema states them."""
    if get_origin(info.annotation) is Literal:
        return st.sampled_from(get_args(info.annotation))
    if info.annotation is bool:
        return st.booleans()
    if info.annotation is str:
        return st.sampled_from(["", "a name", "/a/folder/of two words"])
    bounds: dict[str, Any] = {}
    for constraint in info.metadata:
        bounds |= {
            b: v for b in ("ge", "gt", "le", "lt", "multiple_of") if (v := getattr(constraint, b, None)) is not None
        }
    low, high = bounds.get("ge", bounds.get("gt", 0)), bounds.get("le", bounds.get("lt", 10**6))
    if info.annotation is int:
        step = bounds.get("multiple_of", 1)
        return st.integers(-(-low // step), high // step).map(lambda number: number * step)
    assert info.annotation is float
    return st.floats(low, high, exclude_min="gt" in bounds, exclude_max="lt" in bounds, allow_nan=False)


@pytest.mark.parametrize("name", MODELS)
def test_every_configuration_comes_back_as_it_went_in(qtbot, name: str) -> None:
    model = MODELS[name]
    form = ConfigForm(model)
    qtbot.addWidget(form)
    assert form.config() == model()
    for preset in PRESETS[name].values():
        form.set_values(preset)
        assert form.config() == model(**{**model().model_dump(), **preset})
        form.set_values(model())
    drawn = st.fixed_dictionaries({field: _field_values(info) for field, info in model.model_fields.items()})

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(drawn)
    def there_and_back(values: dict[str, Any]) -> None:
        wanted = model(**values)
        form.set_values(wanted)
        assert form.valid, form.reason()
        assert form.config() == wanted
        assert model(**form.values()) == wanted
        assert {**model().model_dump(mode="json"), **form.changed_values()} == wanted.model_dump(mode="json")

    there_and_back()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_text_keeps_every_float(value: float) -> None:
    assert parse_number(number_text(value), whole=False) == value


@given(st.integers(-(10**20), 10**20), st.booleans())
def test_number_text_keeps_every_integer(value: int, grouped: bool) -> None:
    assert parse_number(number_text(value, grouped), whole=True) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(2e-4, "2e-4"), (1.5e6, "1.5e6"), (0.0, "0"), (0.5, "0.5"), (1.0, "1"), (0.01, "0.01"), (7, "7")],
)
def test_number_text_reads_well(value: float, text: str) -> None:
    assert number_text(value) == text


def test_every_field_says_what_it_is(qtbot) -> None:
    for model in MODELS.values():
        form = ConfigForm(model, fixed={"model": "vae"})
        qtbot.addWidget(form)
        for name, editor in form.editors.items():
            assert editor.info.description, name
            field = editor.widget.native
            assert field.accessibleName(), name
            if isinstance(field, QLineEdit):
                assert field.text() or editor.info.annotation is str, name
