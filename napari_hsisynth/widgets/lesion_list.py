"""`LesionList`: the table of the cube's lesions with its buttons."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_hsisynth.widgets.annotator import Annotator
from napari_hsisynth.widgets.lesion_table import LesionTable
from napari_hsisynth.widgets.mask_file import save_mask
from napari_hsisynth.widgets.push_button import push_button


class LesionList(QWidget):
    """The lesions; hide them, delete one, write them as a PNG.

    Parameters
    ----------
    annotator : Annotator
    """

    def __init__(self, annotator: Annotator, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.annotator = annotator
        self.table = LesionTable(self)
        self.table.chosen.connect(annotator.select)
        self.table.opened.connect(annotator.reopen)
        self.table.delete_asked.connect(annotator.delete)
        self.table.status_asked.connect(annotator.set_lesion_status)
        self.hide_button = push_button(self, "Hide Q", "Hide or show the masks (Q)", annotator.lesions.masks.toggle)
        self.delete_button = push_button(self, "Delete", "Delete the chosen lesion; Undo brings it back", self._delete)
        self.save_button = push_button(
            self, "Save mask", "Write the lesions as a PNG of labels", partial(save_mask, self, annotator)
        )
        buttons = QHBoxLayout()
        for button in (self.hide_button, self.delete_button, self.save_button):
            buttons.addWidget(button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.table, 1)
        rows.addLayout(buttons)

    def _delete(self) -> None:
        if self.annotator.selected is not None:
            self.annotator.delete(self.annotator.selected)

    def refresh(self) -> None:
        """Show the annotator's lesions."""
        annotator = self.annotator
        rows = annotator.lesions.rows()
        self.table.show_rows(rows, annotator.selected)
        self.delete_button.setEnabled(annotator.selected is not None)
        self.save_button.setVisible(annotator.target is not None and annotator.target.study is None)
        self.save_button.setEnabled(bool(rows))
