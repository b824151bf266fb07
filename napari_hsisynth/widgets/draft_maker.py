"""`DraftMaker`: prompts on the canvas to the mask that is shown while it is being made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import Prompts, Proposals
from napari_hsisynth.study import Diagnosis, Instance
from napari_hsisynth.widgets import settings
from napari_hsisynth.widgets.annotate_target import Draft, Target, delay
from napari_hsisynth.widgets.mask_layers import MaskLayers
from napari_hsisynth.widgets.prompt_layers import PromptLayers
from napari_hsisynth.widgets.segmenter_client import SegmenterClient

_ASK_MS = 40  # after the last change of the prompts


class DraftMaker(QObject):
    """Asks the segmenter whenever the prompts change, and shows its newest answer.

    The prompts of a study's cube are remembered, so that a crash or a visit to another cube comes back to them.

    Parameters
    ----------
    viewer : napari.Viewer
    masks : MaskLayers
        Where the draft is shown.

    Attributes
    ----------
    changed : Signal
        The draft, or the state of the segmenter.
    answered : Signal
        The newest question has an answer.
    failed : Signal
        The segmenter could not answer: why, in a sentence.
    """

    changed = Signal()
    answered = Signal()
    failed = Signal(str)

    def __init__(self, viewer: Any, masks: MaskLayers) -> None:
        super().__init__()
        self.prompts, self.masks = PromptLayers(viewer), masks
        self.prompts.changed.connect(self._prompts_changed)
        self.segmenter = SegmenterClient()
        self.segmenter.changed.connect(self.changed)
        self.segmenter.answered.connect(self._take)
        self.segmenter.failed.connect(self.failed)
        self.target: Target | None = None
        self.draft: Draft | None = None
        self._ask_soon = delay(self, _ASK_MS, self._ask)

    # --- which cube

    def attach(self, target: Target) -> None:
        """Belong to a cube, with the draft that was left there."""
        self.detach()
        self.target = target
        self.prompts.attach(target.layer)
        self._restore()
        if self.draft is None:
            self._submit(None)

    def detach(self) -> None:
        """Remember the draft, and take prompts and mask away."""
        if self.target is not None:
            self.remember()
            self._forget_answer()
            self.target = self.draft = None
            self.prompts.attach(None)

    def close(self) -> None:
        """Take the layers away for good and end the thread."""
        self.detach()
        self.segmenter.close()
        self.prompts.changed.disconnect(self._prompts_changed)
        self.prompts.disconnect()

    # --- the draft

    @property
    def waiting(self) -> bool:
        """Whether the prompts have changed since the answer that is shown."""
        return self._ask_soon.isActive() or self.segmenter.working

    def choose_segmenter(self, name: str, options: Mapping[str, Any] | None = None) -> None:
        """Use another segmenter from now on, and have the present prompts answered by it."""
        if self.segmenter.choose(name, options):
            self._ask()

    def propose(self) -> None:
        """Have lesions proposed, in place of the draft."""
        if self.target is not None:
            diagnosis = self.diagnosis
            self.prompts.set(Prompts())
            self.draft = Draft(diagnosis, proposed=True)
            self._submit("propose")

    def next_candidate(self) -> None:
        """Show the next candidate."""
        if self.draft is not None and self.draft.answer is not None and len(self.draft.answer):
            self._show(replace(self.draft, choice=(self.draft.choice + 1) % len(self.draft.answer)))

    def reopen(self, instance: Instance, mask: np.ndarray) -> None:
        """Take a lesion up again with the prompts it was made by; one drawn by hand starts from its mask."""
        self.clear()
        prompts = Prompts.from_json(instance.prompts or {})
        self.draft = Draft(instance.diagnosis, instance.id, None if prompts else mask)
        self.prompts.set(prompts)
        self.prompts.start()
        self._ask()

    def clear(self) -> None:
        """Drop the draft and its prompts."""
        self._forget_answer()
        self.prompts.set(Prompts())
        self.draft = None
        self.segmenter.say("ready" if self.target is not None else "")
        self.masks.show_draft(None)
        self.remember()
        self.changed.emit()

    def take_next_proposed(self) -> None:
        """Go on after the shown candidate was accepted: to the next proposed lesion, or to no draft."""
        rest = self.draft.without_shown() if self.draft is not None else None
        self.clear()
        if rest is not None:
            self._show(rest)

    @property
    def diagnosis(self) -> Diagnosis:
        """Of the draft, or of the one that would be started now."""
        if self.draft is not None:
            return self.draft.diagnosis
        return self.target.diagnosis if self.target is not None else Diagnosis.OTHER

    def set_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Give the draft a diagnosis."""
        if self.draft is not None:
            self.draft = replace(self.draft, diagnosis=diagnosis)
            self.remember()
            self.changed.emit()

    def record(self) -> dict[str, Any]:
        """How the draft came about: prompts, backend, model and score, as fields of an `Instance`."""
        draft, prompts = self.draft, self.prompts.prompts
        score = None if draft is None or draft.answer is None else float(draft.answer.scores[draft.choice])
        # prompts that start from a mask do not give the result by themselves
        kept = prompts.to_json() if prompts and draft is not None and draft.base is None else None
        return {"prompts": kept, "score": score, **self.segmenter.identity()}

    def _show(self, draft: Draft) -> None:
        self.draft = draft
        self.masks.show_draft(draft.mask)
        self.changed.emit()

    # --- asking

    def _prompts_changed(self, _: Prompts) -> None:
        if self.target is not None:
            if self.draft is None or self.draft.proposed:
                self.draft = Draft(self.diagnosis)
            self._ask_soon.start()
            self.changed.emit()

    def _ask(self) -> None:
        self._ask_soon.stop()
        prompts, draft = self.prompts.prompts, self.draft
        if draft is not None and draft.base is not None:
            logits = np.where(draft.base, np.float32(1), np.float32(-1))
            self._submit(Prompts(prompts.points, prompts.labels, prompts.box, logits))
        elif draft is not None and prompts:
            self._submit(prompts)
        elif draft is not None and not draft.proposed:
            self.clear()  # the last prompt was deleted
        else:
            self._submit(None)
        self.remember()

    def _submit(self, question: Prompts | str | None) -> None:
        if self.target is not None:
            self.segmenter.ask(self.target.cube, question)

    def _forget_answer(self) -> None:
        self._ask_soon.stop()
        self.segmenter.forget()

    def _take(self, answer: Proposals | None) -> None:
        draft = self.draft
        if answer is not None and draft is not None:
            if not len(answer):
                self.segmenter.say(
                    "no lesion stands out: click into it" if draft.proposed else "no mask fits these prompts"
                )
            if len(answer) or not draft.proposed:
                self._show(replace(draft, answer=answer, choice=0))
            else:
                self.draft = None
        self.changed.emit()
        self.answered.emit()

    # --- remembering

    def remember(self) -> None:
        """Store the prompts of the draft, or that there are none."""
        key = self.target.draft_key if self.target is not None else None
        if key is None:
            return
        draft, prompts = self.draft, self.prompts.prompts
        if draft is None or not prompts or draft.base is not None:
            settings.set_value(key, None)
        else:
            found = {"prompts": prompts.to_json(), "diagnosis": draft.diagnosis.value, "editing": draft.editing}
            settings.set_value(key, found)

    def _restore(self) -> None:
        assert self.target is not None
        key = self.target.draft_key
        stored: dict[str, Any] = settings.value(key, {}) if key else {}
        try:
            prompts = Prompts.from_json(stored.get("prompts", {}))
            prompts.check_inside(self.target.cube.shape_yx)
            diagnosis = Diagnosis.parse(stored.get("diagnosis", self.target.diagnosis))
        except InputError:  # of another version, or the cube has been replaced by a smaller one
            return
        if prompts:
            editing = stored.get("editing")
            self.draft = Draft(diagnosis, editing if isinstance(editing, int) else None)
            self.prompts.set(prompts)
            self._ask()
