"""`Draft`: the lesion in the making. Never changed, only replaced, so that undo can keep all that came before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import Prompts, Proposals
from napari_hsisynth.study import Diagnosis, Instance
from napari_hsisynth.study.label_runs import LabelRuns

_MADE_BY = ("backend", "model", "weights_sha256")


@dataclass(frozen=True, eq=False)
class Draft:
    """The lesion that is being made or changed.

    Parameters
    ----------
    diagnosis : Diagnosis
        That it will get.
    prompts : Prompts
        Clicks and box.
    editing : int, optional
        Number of the lesion that it will replace.
    base : LabelRuns, optional
        A mask drawn or refined by hand, from which the prompts start.
    candidates : tuple of LabelRuns
        Masks to choose from, best first.
    scores : tuple of float or None
        The segmenter's estimate for each; None for what a person drew.
    choice : int
        Which candidate is shown.
    proposed : bool
        The candidates are different lesions, found without prompts.
    waiting : bool
        The segmenter has not said yet what the prompts give; the candidates are those from before.
    made_by : mapping
        Backend, model and weights_sha256 that gave the candidates.
    """

    diagnosis: Diagnosis
    prompts: Prompts = field(default_factory=Prompts)
    editing: int | None = None
    base: LabelRuns | None = None
    candidates: tuple[LabelRuns, ...] = ()
    scores: tuple[float | None, ...] = ()
    choice: int = 0
    proposed: bool = False
    waiting: bool = False
    made_by: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_lesion(cls, instance: Instance, mask: NDArray[np.bool_]) -> Draft:
        """Take a lesion up again: its mask as it is, with the prompts it was made by; hand-drawn ones start from it."""
        runs, prompts = LabelRuns.of(mask), Prompts.from_json(instance.prompts or {})
        made_by = {key: value for key in _MADE_BY if (value := getattr(instance, key))}
        base = None if prompts else runs
        return cls(instance.diagnosis, prompts, instance.id, base, (runs,), (instance.score,), made_by=made_by)

    # --- what it shows

    @property
    def shown(self) -> LabelRuns | None:
        """The chosen candidate."""
        return self.candidates[self.choice] if self.candidates else None

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """The chosen candidate, shape (y, x)."""
        return self.shown.mask() if self.shown is not None else None

    @property
    def several(self) -> bool:
        """Whether there is more than one candidate."""
        return len(self.candidates) > 1

    def text(self) -> str:
        """Describe the shown candidate: ``candidate 1/3 · score 0.93 · 4,812 px``."""
        if self.shown is None:
            return "no mask yet"
        what = "proposed" if self.proposed else "candidate"
        said = [f"{what} {self.choice + 1}/{len(self.candidates)}"] if self.several or self.proposed else []
        if self.base is not None and self.shown is self.base:
            said = ["by hand"]
        score = self.scores[self.choice]
        said += [] if score is None else [f"score {score:.2f}"]
        return " · ".join([*said, f"{self.shown.area_px:,} px"])

    def question(self) -> Prompts | None:
        """What to ask the segmenter; None if the mask is already what is meant."""
        prompts = self.prompts
        if not prompts or self.base is None:
            return prompts or None
        logits = np.where(self.base.mask(), np.float32(1), np.float32(-1))
        return Prompts(prompts.points, prompts.labels, prompts.box, logits)

    # --- what comes next

    def with_prompts(self, prompts: Prompts) -> Draft | None:
        """Return it with other prompts; None if nothing is left of it.

        A click outside corrects a proposed lesion, and so does any prompt once it was changed by hand; else prompts
        start a lesion of their own in its place.
        """
        if self.proposed:
            if not prompts:
                return self
            corrects = 1 not in prompts.labels and prompts.box is None
            started = Draft(self.diagnosis, prompts, waiting=True)
            if self.shown is None or not (corrects or self.scores[self.choice] is None):
                return started
            return replace(started, base=self.shown, candidates=(self.shown,), scores=(None,))
        if prompts:
            return replace(self, prompts=prompts, waiting=True)
        if self.base is None:
            return None
        return replace(self, prompts=prompts, candidates=(self.base,), scores=(None,), choice=0, waiting=False)

    def answered(self, answer: Proposals, made_by: Mapping[str, str]) -> Draft:
        """Return it with what the segmenter said."""
        return replace(
            self,
            candidates=tuple(LabelRuns.of(mask) for mask in answer.masks),
            scores=tuple(float(score) for score in answer.scores),
            choice=0,
            waiting=False,
            made_by={key: value for key in _MADE_BY if (value := made_by.get(key))},
        )

    def next_candidate(self) -> Draft:
        """Return it with the next candidate chosen; after the last comes the first."""
        return replace(self, choice=(self.choice + 1) % len(self.candidates)) if self.several else self

    def by_hand(self, mask: NDArray[np.bool_]) -> Draft | None:
        """Return it with a mask that was painted or refined, from which further prompts start; None if it is empty."""
        if not mask.any():
            return None
        runs = LabelRuns.of(mask)
        if self.proposed and self.candidates:  # the others still wait to be dealt with
            before, after = slice(self.choice), slice(self.choice + 1, None)
            candidates = (*self.candidates[before], runs, *self.candidates[after])
            return replace(self, candidates=candidates, scores=(*self.scores[before], None, *self.scores[after]))
        waiting = self.waiting and bool(self.prompts)
        by_hand = replace(self, base=runs, candidates=(runs,), scores=(None,), choice=0)
        return replace(by_hand, proposed=False, waiting=waiting)

    def without_shown(self) -> Draft | None:
        """Return what is left of proposed lesions when the shown one has been dealt with; None if nothing is."""
        if not self.proposed or not self.several:
            return None
        keep = [number for number in range(len(self.candidates)) if number != self.choice]
        return replace(
            self,
            candidates=tuple(self.candidates[number] for number in keep),
            scores=tuple(self.scores[number] for number in keep),
            choice=min(self.choice, len(keep) - 1),
        )

    def record(self) -> dict[str, Any]:
        """How the mask came about, as fields of an `Instance`: prompts, score, backend and model."""
        # prompts that start from a mask, or were not answered, do not give the result by themselves
        kept = self.prompts.to_json() if self.prompts and self.base is None and not self.waiting else None
        return {"prompts": kept, "score": self.scores[self.choice] if self.candidates else None, **self.made_by}

    # --- on disk

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types, with its masks: another start must not need the segmenter to show it again."""
        return {
            "diagnosis": self.diagnosis.value,
            "prompts": self.prompts.to_json(),
            "editing": self.editing,
            "base": None if self.base is None else self.base.to_json(),
            "candidates": [runs.to_json() for runs in self.candidates],
            "scores": list(self.scores),
            "choice": self.choice,
            "proposed": self.proposed,
            "waiting": self.waiting,
            "made_by": dict(self.made_by),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], shape_yx: tuple[int, int]) -> Draft:
        """Read what `to_json` wrote; InputError if it is damaged or does not fit an image of `shape_yx`."""
        try:
            candidates = tuple(LabelRuns.from_json(runs) for runs in value.get("candidates") or ())
            base = None if value.get("base") is None else LabelRuns.from_json(value["base"])
            scores = tuple(None if score is None else float(score) for score in value.get("scores") or ())
            editing, choice = value.get("editing"), int(value.get("choice") or 0)
            made_by = {str(key): str(said) for key, said in dict(value.get("made_by") or {}).items() if key in _MADE_BY}
            prompts = Prompts.from_json(value.get("prompts") or {})
            editing = None if editing is None else int(editing)
        except (TypeError, ValueError, AttributeError) as error:
            raise InputError(f"not a draft ({error})") from None
        prompts.check_inside(shape_yx)
        fit = all(runs.shape_yx == tuple(shape_yx) for runs in (*candidates, *(() if base is None else (base,))))
        if not fit or len(scores) != len(candidates) or not 0 <= choice < max(1, len(candidates)):
            raise InputError("the masks of a draft do not fit its cube")
        if base is not None and base in candidates:  # one mask, by hand: told by being the same object
            base = candidates[candidates.index(base)]
        proposed, waiting = bool(value.get("proposed")), bool(value.get("waiting"))
        diagnosis = Diagnosis.parse(value.get("diagnosis", Diagnosis.OTHER))
        return cls(diagnosis, prompts, editing, base, candidates, scores, choice, proposed, waiting, made_by)
