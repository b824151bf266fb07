"""`DraftMaker`: prompts on the canvas to the mask that is shown while it is being made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_hsisynth.segment import Prompts, Proposals
from napari_hsisynth.study import Diagnosis, Instance
from napari_hsisynth.widgets.annotate_target import Target, delay
from napari_hsisynth.widgets.draft import Draft
from napari_hsisynth.widgets.draft_keeper import DraftKeeper
from napari_hsisynth.widgets.mask_layers import MaskLayers
from napari_hsisynth.widgets.prompt_layers import PromptLayers
from napari_hsisynth.widgets.segmenter_client import SegmenterClient

_ASK_MS = 40  # after the first change of the prompts that was not asked about
_AFTER_STROKE_MS = 50


class DraftMaker(QObject):
    """Asks the segmenter whenever the prompts change, and shows its newest answer.

    The draft of a study's cube is kept in the study, so that a crash or a visit to another cube comes back to it.

    Parameters
    ----------
    viewer : napari.Viewer
    masks : MaskLayers
        Where the draft is shown.

    Attributes
    ----------
    changed : Signal
        The draft, or the state of the segmenter.
    stepped : Signal(str)
        A change is complete: what was done, for people.
    answered : Signal
        The newest question has an answer.
    failed : Signal
        The segmenter could not answer: why, in a sentence.
    not_kept : Signal
        The draft cannot be written to the study: why, in a sentence; once until it works again.
    """

    changed = Signal()
    stepped = Signal(str)
    answered = Signal()
    failed = Signal(str)
    not_kept = Signal(str)

    def __init__(self, viewer: Any, masks: MaskLayers) -> None:
        super().__init__()
        self.prompts, self.masks = PromptLayers(viewer), masks
        self.segmenter, self.keeper = SegmenterClient(), DraftKeeper(self)
        self.target: Target | None = None
        self.draft: Draft | None = None
        self._late: Proposals | None = None
        self._ask_soon = delay(self, _ASK_MS, self._ask)
        self._take_later = delay(self, _AFTER_STROKE_MS, self._take_late)
        self._connections: list[tuple[Any, Any]] = [
            (self.prompts.changed, self._prompts_changed),
            (self.prompts.stepped, self._prompts_stepped),
            (masks.draft_edited, self._painted),
        ]
        for signal, slot in self._connections:
            signal.connect(slot)
        self.segmenter.changed.connect(self.changed)
        self.segmenter.answered.connect(self._take)
        self.segmenter.failed.connect(self.failed)
        self.keeper.failed.connect(self.not_kept)

    # --- which cube

    def attach(self, target: Target, draft: Draft | None = None) -> None:
        """Belong to a cube, with a draft or with the one that was left there."""
        self.detach()
        self.target = target
        self.prompts.attach(target.layer)
        self.bring_back(draft or self.keeper.read(target))
        if self.draft is None or not self.draft.waiting:
            self.segmenter.ask(target.cube, None)

    def detach(self) -> None:
        """Let go of the cube and its draft; the layers stay for the next one."""
        if self.target is not None:
            self._forget_answer()
            self.target = self.draft = None
            self.prompts.detach()
            self.masks.show_draft(None)

    def flush(self) -> None:
        """Have the draft on disk before returning."""
        self.keeper.flush()

    def close(self) -> None:
        """Take the layers away for good and end the threads."""
        self.detach()
        self.keeper.close()
        self.segmenter.close()
        for signal, slot in self._connections:
            signal.disconnect(slot)
        self.prompts.disconnect()

    # --- the draft

    @property
    def waiting(self) -> bool:
        """Whether the prompts have changed since the answer that is shown."""
        return self._ask_soon.isActive() or self._late is not None or self.segmenter.working

    @property
    def diagnosis(self) -> Diagnosis:
        """Of the draft, or of the one that would be started now."""
        if self.draft is not None:
            return self.draft.diagnosis
        return self.target.diagnosis if self.target is not None else Diagnosis.OTHER

    def choose_segmenter(self, name: str, options: Mapping[str, Any] | None = None) -> None:
        """Use another segmenter from now on, and have the present prompts answered by it."""
        if not self.segmenter.choose(name, options) or self.target is None:
            return
        if self.draft is not None and (self.draft.waiting or self.draft.question() is not None):
            self._become(replace(self.draft, waiting=True))
            self.stepped.emit(f"segmenter {name}")
            self._ask()
        else:
            self.segmenter.ask(self.target.cube, None)

    def propose(self) -> None:
        """Have lesions proposed, in place of the draft."""
        if self.target is not None:
            diagnosis = self.diagnosis
            self.prompts.set(Prompts())
            self._become(Draft(diagnosis, proposed=True, waiting=True))
            self.stepped.emit("propose")
            self._ask()

    def next_candidate(self) -> None:
        """Show the next candidate."""
        if self.draft is not None and self.draft.several:
            self._become(self.draft.next_candidate())
            self.stepped.emit("next candidate")

    def reopen(self, instance: Instance, mask: NDArray[np.bool_]) -> None:
        """Take a lesion up again with the prompts it was made by; one drawn by hand starts from its mask."""
        self.bring_back(Draft.of_lesion(instance, mask))
        self.prompts.start()
        self.stepped.emit(f"re-open lesion {instance.id}")

    def clear(self) -> None:
        """Drop the draft and its prompts; of proposed lesions only the shown one."""
        if self.draft is not None:
            rest = self.draft.without_shown()
            step = "reject a proposal" if self.draft.proposed else "clear"
            self.drop(rest)
            self.stepped.emit(step)

    def drop(self, following: Draft | None = None) -> None:
        """Have another draft, or none, in place of this one."""
        self.bring_back(following)
        self.segmenter.say("ready" if self.target is not None else "")

    def bring_back(self, draft: Draft | None) -> None:
        """Show a draft of another time, with its prompts."""
        self._forget_answer()
        self.prompts.set(draft.prompts if draft is not None else Prompts())
        self._become(draft)
        if draft is not None and draft.waiting:
            self._ask()

    def set_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Give the draft a diagnosis."""
        if self.draft is not None:
            self._become(replace(self.draft, diagnosis=diagnosis))
            self.stepped.emit("diagnosis")

    def refine(self, mask: NDArray[np.bool_], step: str) -> None:
        """Give the draft a mask made by hand; further prompts start from it. With nothing in it, the draft is gone."""
        if self.target is None:
            return
        refined = (self.draft or Draft(self.diagnosis)).by_hand(mask)
        if refined is None:
            self.drop()
        else:
            self._forget_answer()
            self._become(refined)
            self._ask()
        self.stepped.emit(step)

    def _painted(self, mask: NDArray[np.bool_]) -> None:
        self.refine(mask, "brush")

    def _become(self, draft: Draft | None) -> None:
        before, self.draft = self.draft, draft
        if before is None or draft is None or before.shown is not draft.shown:
            self.masks.show_draft(draft.mask if draft is not None else None)
        if self.target is not None and before is not draft:
            self.keeper.keep(self.target, draft)
        self.changed.emit()

    # --- asking

    def _prompts_changed(self, prompts: Prompts) -> None:
        if self.target is None:
            return
        before = self.draft
        after = (before or Draft(self.diagnosis)).with_prompts(prompts)
        if after is None or not after.waiting:
            self._forget_answer()
            self.segmenter.say("ready")
            self._become(after)
            return
        if before is not None and before.waiting and not before.proposed:
            self.draft = after  # nothing that the dock shows is another
            self.keeper.keep(self.target, after)
        else:
            self._become(after)
        if not self._ask_soon.isActive():
            self._ask_soon.start()

    def _prompts_stepped(self, step: str) -> None:
        self.stepped.emit(step)

    def _ask(self) -> None:
        self._ask_soon.stop()
        draft = self.draft
        if self.target is not None and draft is not None and draft.waiting:
            self.segmenter.ask(self.target.cube, "propose" if draft.proposed else draft.question())

    def _forget_answer(self) -> None:
        self._ask_soon.stop()
        self._take_later.stop()
        self._late = None
        self.segmenter.forget()

    def _take(self, answer: Proposals | None) -> None:
        if answer is not None and self.masks.painting:
            self._late = answer  # it would wipe out the stroke that the brush is making
            self._take_later.start()
            return
        draft = self.draft
        if answer is not None and draft is not None and draft.waiting:
            if not len(answer):
                self.segmenter.say(
                    "no lesion stands out: click into it" if draft.proposed else "no mask fits these prompts"
                )
            given = draft.answered(answer, self.segmenter.identity())
            # while the mouse goes on dragging a prompt, this is the answer to where it was a moment ago
            given = replace(given, waiting=self._ask_soon.isActive())
            self._become(given if len(answer) or not draft.proposed else None)
        self.changed.emit()
        if answer is not None:
            self.answered.emit()

    def _take_late(self) -> None:
        answer, self._late = self._late, None
        self._take(answer)
