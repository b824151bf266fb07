"""Watching a training for signs that it has come off the rails.

Losses are judged over windows of a fixed number of steps, samples at every preview: never by the clock, so that a
repeated or resumed training is judged at the same places and to the same end. A sign must last before it is told, and
is told once for as long as it lasts. What is expected early in a training, samples unlike anything real among it, is no
sign.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_hsisynth.training.normalisation import band_statistics

#: Optimiser steps whose mean is judged as one value.
WINDOW_STEPS = 25
#: Scalars that are watched: the loss, and of an adversarial recipe (whose "loss" is the discriminator's) also the mean
#: output of the discriminator for real and for generated images.
LOSS, REAL, FAKE = "loss", "real_score", "fake_score"

#: Windows that a value is compared with: at least, and at most.
_LEAST_HISTORY, _HISTORY = 20, 100
#: Looks in a row at which a sign must be there: windows for losses, previews for samples.
_PATIENCE = {"explosion": 4, "run away": 4, "critic wins": 40, "critic blind": 40, "drift": 2, "collapse": 2}
#: Loss of a discriminator that makes no errors, at scores so far apart.
_NO_ERRORS, _APART = 0.02, 1.0
#: Separation of the scores, relative to their size, of a discriminator that tells nothing apart.
_NOT_APART = 1e-3
#: Samples are out of place if the mean of a band is so many real standard deviations off, its standard deviation
#: smaller or larger than the real one by these factors, or samples differ so little in units of what real images do.
_MEAN_OFF, _STD_FACTORS, _LEAST_SPREAD = 1.0, (0.2, 4.0), 0.05
#: Part of the training after which samples must have come near the real images at all.
_GRACE = 0.25
#: Real images from which their differences are measured.
_SPREAD_IMAGES = 256


@dataclass(frozen=True)
class Statistics:
    """What samples are held against.

    Parameters
    ----------
    mean, std : ndarray, shape (bands,)
        Over all pixels of all images.
    spread : float
        Root mean square over pixels and bands of the standard deviation between images; 0 for a single one.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    spread: float

    @classmethod
    def of(cls, images: NDArray[np.float32]) -> Statistics:
        """Measure images, shape (n, bands, y, x)."""
        few = images[:_SPREAD_IMAGES]
        return cls(*band_statistics(images), float(np.sqrt(few.var(axis=0, dtype=np.float64).mean())))


class Guard:
    """Finds signs of divergence, and says them as clauses ("the loss has risen to 9, where it was 0.3")."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._summed = 0
        self._history: dict[str, list[float]] = {}
        self._first = self._lowest = math.nan
        #: how many looks in a row a sign has been there, or, negative, has not
        self._streaks: dict[str, int] = {}
        self._told: list[str] = []
        self._arrived = False
        self._in_place = True

    def add(self, scalars: Mapping[str, Tensor]) -> None:
        """Take the scalars of a step, without waiting for the device."""
        for name in (LOSS, REAL, FAKE):
            if name in scalars:
                value = scalars[name].detach()
                self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._summed += 1

    @property
    def finite(self) -> bool:
        """Whether all scalars since the last look have been numbers; waits for the device."""
        return all(math.isfinite(value) for value in self._means().values())

    @property
    def calm(self) -> bool:
        """Whether a state like this is worth going back to.

        Samples were in place at the last look, whatever is expected of them so early, and no sign was there, not even
        one too fresh to be told.
        """
        return self._in_place and all(streak <= 0 for streak in self._streaks.values())

    def look_at_losses(self) -> list[str]:
        """Judge the window of the steps since the last look; say what has newly gone wrong."""
        means = self._means()
        steps, self._sums, self._summed = self._summed, {}, 0
        if {REAL, FAKE} <= means.keys():
            return self._look_at_scores(means, steps)
        return self._look_at_loss(means[LOSS]) if LOSS in means else []

    def _look_at_loss(self, loss: float) -> list[str]:
        self._first = loss if math.isnan(self._first) else self._first
        self._lowest = loss if math.isnan(self._lowest) else min(self._lowest, loss)
        past = self._history.setdefault(LOSS, [])
        usual, noise = _middle(past)
        # worse by all that has been learnt, by far more than noise, and by half of its own size
        jump = max(8 * noise, self._first - self._lowest, 0.5 * abs(usual))
        exploded = len(past) >= _LEAST_HISTORY and loss > usual + jump
        self._remember(LOSS, loss, unless=exploded and "explosion" not in self._told)
        return self._judge(
            "explosion", exploded, f"the loss has risen to {loss:.3g} and stays there, where it was {usual:.3g}"
        )

    def _look_at_scores(self, means: Mapping[str, float], steps: int) -> list[str]:
        apart = means[REAL] - means[FAKE]
        size = max(1.0, abs(means[REAL]), abs(means[FAKE]))
        past = self._history.setdefault("apart", [])
        usual, noise = _middle(past)
        ran = len(past) >= _LEAST_HISTORY and apart > usual + max(10 * noise, 3 * abs(usual), 10.0)
        self._remember("apart", apart, unless=ran and "run away" not in self._told)
        wins = apart > _APART and abs(means[LOSS]) < _NO_ERRORS
        lasted = steps * _PATIENCE["critic wins"]
        return [
            *self._judge(
                "run away",
                ran,
                "the discriminator's scores of real and generated images run apart: "
                f"by {apart:.3g}, where it was {usual:.3g}",
            ),
            *self._judge(
                "critic wins",
                wins,
                f"the discriminator has made no error for {lasted:,} steps: the generator learns nothing from it",
            ),
            *self._judge(
                "critic blind",
                abs(apart) < _NOT_APART * size,
                f"the discriminator has given all images the same score for {lasted:,} steps: it has collapsed",
            ),
        ]

    def look_at_samples(
        self, samples: Statistics, real: Statistics, wavelengths_nm: NDArray[np.float64], part: float
    ) -> list[str]:
        """Judge samples beside the real images, after this `part` (0 to 1) of the training; as `look_at_losses`."""
        varied = real.std > 0
        if not varied.any():
            return []
        scale = np.where(varied, real.std, 1.0)
        off = np.where(varied, np.abs(samples.mean - real.mean) / scale, 0.0)
        ratio = np.where(varied, samples.std / scale, 1.0)
        worst, strangest = int(off.argmax()), int(np.abs(np.log(np.maximum(ratio, 1e-9))).argmax())
        low, high = _STD_FACTORS
        if off[worst] > _MEAN_OFF:
            said = f"the samples' mean at {wavelengths_nm[worst]:.0f} nm is {off[worst]:.1f} standard deviations off"
        else:
            said = f"the samples' contrast at {wavelengths_nm[strangest]:.0f} nm is {ratio[strangest]:.2g} times"
        drifted = bool(off[worst] > _MEAN_OFF or not low < ratio[strangest] < high)
        alike = samples.spread / real.spread if real.spread > 0 else 1.0
        collapsed = alike < _LEAST_SPREAD
        self._in_place = not (drifted or collapsed)
        self._arrived |= self._in_place
        # samples that never were in place have some time to get there
        judged = self._arrived or part >= _GRACE
        return [
            *self._judge("drift", judged and drifted, f"{said} that of the real images"),
            *self._judge(
                "collapse",
                judged and collapsed,
                f"the samples are almost identical: they differ by {alike:.1%} of what real images differ",
            ),
        ]

    def state(self) -> dict[str, Any]:
        """All that it has seen, for a checkpoint."""
        return {
            "sums": {name: value.cpu() for name, value in self._sums.items()},
            "summed": self._summed,
            "history": {name: list(values) for name, values in self._history.items()},
            "first": self._first,
            "lowest": self._lowest,
            "streaks": dict(self._streaks),
            "told": list(self._told),
            "arrived": self._arrived,
        }

    def load_state(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Take up what `state` gave."""
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._summed = state["summed"]
        self._history = {name: list(values) for name, values in state["history"].items()}
        self._first, self._lowest = state["first"], state["lowest"]
        self._streaks, self._told, self._arrived = dict(state["streaks"]), list(state["told"]), state["arrived"]

    def _means(self) -> dict[str, float]:
        if not self._sums:
            return {}
        values = torch.stack([value.float() for value in self._sums.values()]).tolist()  # one wait for all of them
        return {name: value / self._summed for name, value in zip(self._sums, values, strict=True)}

    def _remember(self, name: str, value: float, *, unless: bool) -> None:
        if not unless:
            self._history[name] = [*self._history[name], value][-_HISTORY:]

    def _judge(self, sign: str, there: bool, message: str) -> list[str]:
        streak = self._streaks.get(sign, 0)
        self._streaks[sign] = streak = max(streak, 0) + 1 if there else min(streak, 0) - 1
        if streak >= _PATIENCE[sign] and sign not in self._told:
            self._told.append(sign)
            return [message]
        if streak <= -_PATIENCE[sign] and sign in self._told:
            self._told.remove(sign)
        return []


def _middle(values: list[float]) -> tuple[float, float]:
    """Median, and the standard deviation of a normal distribution with the same median absolute deviation."""
    if not values:
        return 0.0, 0.0
    centre = median(values)
    return centre, 1.4826 * median(abs(value - centre) for value in values)
