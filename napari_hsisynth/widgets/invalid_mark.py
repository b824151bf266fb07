"""The mark of a field that holds something unusable: a border in the theme's colour of errors, and the reason."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_hsisynth.widgets.theme import theme_colours


def mark_invalid(field: QWidget, problem: str, hint: str) -> None:
    """Mark a field with the reason in its tooltip, or clear the mark.

    Parameters
    ----------
    field : QWidget
        In a widget whose style is from `follow_theme_of_marks`.
    problem : str
        Empty to clear.
    hint : str
        What the field is for.
    """
    field.setToolTip("\n\n".join(text for text in (problem, hint) if text))
    field.setAccessibleDescription(problem or hint)
    if bool(field.property("invalid")) != bool(problem):
        field.setProperty("invalid", bool(problem))
        field.style().unpolish(field)
        field.style().polish(field)


def follow_theme_of_marks(parent: QWidget) -> None:
    """Give the marks in a widget the colours of the theme: to be called on every change of style."""
    colours = theme_colours()
    # the background is named too: a border alone makes Qt fill the field with the border's colour
    style = f'*[invalid="true"] {{ border: 2px solid {colours.error}; background-color: {colours.background}; }}'
    if style != parent.styleSheet():
        parent.setStyleSheet(style)
