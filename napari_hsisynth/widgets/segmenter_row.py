"""`SegmenterRow`: what turns prompts into masks, how it is doing, and its proposals without a prompt."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget

from napari_hsisynth.segment import list_segmenters
from napari_hsisynth.widgets.draft_maker import DraftMaker
from napari_hsisynth.widgets.job_dock import choice
from napari_hsisynth.widgets.push_button import push_button


class SegmenterRow(QWidget):
    """Choice of the segmenter, its state, and Propose.

    Parameters
    ----------
    drafts : DraftMaker
    """

    def __init__(self, drafts: DraftMaker, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.drafts = drafts
        self.segmenter = choice(self, "What turns prompts into masks")
        self.segmenter.setAccessibleName("segmenter")
        self.segmenter.addItems(list_segmenters())
        self.segmenter.setCurrentText(drafts.segmenter.name)
        self.segmenter.textActivated.connect(drafts.choose_segmenter)
        self.state = QLabel(self)
        self.propose_button = push_button(self, "Propose", "Find lesions without a prompt", drafts.propose)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.segmenter, 1)
        row.addWidget(self.state)
        row.addWidget(self.propose_button)

    def _chosen(self, name: str) -> None:
        self.drafts.choose_segmenter(name)

    def refresh(self) -> None:
        """Show how the segmenter is doing."""
        self.state.setText(self.drafts.segmenter.state)
