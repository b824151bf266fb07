"""What the figures of a generator mean, decided by rule."""

from __future__ import annotations

from napari_hsisynth.metrics.nearest import NEAR_PERCENTILE
from napari_hsisynth.metrics.resampling import Comparison
from napari_hsisynth.results.measures import Measured, RealFigures

#: Names of the generators that learn nothing.
MEAN_PLUS_NOISE, SHIFTED_COPIES = "mean + noise", "shifted copies"

#: What is expected of a generator that does not copy.
_EXPECTED = NEAR_PERCENTILE / 100
#: Above twice the expected share, and this unlikely by chance, some cubes may be copies.
_UNLIKELY = 0.01
#: Where the search finds fewer of the copies than this, it says nothing of memorising.
_FOUND_COPIES = 0.5
#: Below this fraction of the real set's diversity, a generator repeats itself.
_LITTLE_DIVERSITY = 0.5

#: For the head of the table, in the words of the rules below.
RULES = (
    f"**broken**: its patches are as far from real ones as those of *{MEAN_PLUS_NOISE}*, or farther",
    "**coarse structure missing**: so are its patches at the coarsest level alone, where lesions differ and noise is"
    " averaged out; said only above the range of the floor, within which real cubes do no better",
    f"**memorising**: more of its cubes are near a training cube than halfway from the {100 * _EXPECTED:.0f} % expected"
    f" to what is found of *{SHIFTED_COPIES}*",
    f"**some near copies**: more than {200 * _EXPECTED:.0f} % of its cubes, and p < {_UNLIKELY:g}",
    "**redrawn**: made of RGB images of training crops, so that nearness to them is what was asked for and says nothing"
    " of memorising; how well a cube is found from its RGB image, `evaluate --reconstruct` measures on held-out crops",
    f"**little diversity**: less than {100 * _LITTLE_DIVERSITY:.0f} % of the real set's",
    "**passes**: none of these; how near it is to real cubes, its distances in floors (2 x, 3 x ...) say",
)


def verdict(measured: Measured, real: RealFigures, noise: Measured, copies: Measured, *, redrawn: bool = False) -> str:
    """Say by rule whether a generator is broken, memorises, or repeats itself.

    Parameters
    ----------
    measured : Measured
        Of the generator.
    real : RealFigures
        Of the held-out cubes.
    noise, copies : Measured
        Of the two generators that learn nothing.
    redrawn : bool
        Whether its cubes were made of RGB images of training crops.

    Returns
    -------
    str
        One or more of the words of `RULES`, with the figure that decided.
    """
    said = []
    here, trivial = _at_m(measured.patches), _at_m(noise.patches)
    coarse, trivial_coarse = _at_m(measured.levels[-1]), _at_m(noise.levels[-1])
    if here >= trivial:
        said.append(f"**broken** (patches {here / trivial:.2f} x *{MEAN_PLUS_NOISE}*)")
    elif coarse >= trivial_coarse and _above_floor(measured.levels[-1]):
        said.append(f"**coarse structure missing** ({coarse / trivial_coarse:.2f} x *{MEAN_PLUS_NOISE}*)")
    share, of_copies = measured.nearest.share, copies.nearest.share
    if redrawn:
        said.append("**redrawn** from training crops in RGB")
    elif of_copies < _FOUND_COPIES:
        said.append(f"memorising cannot be told here: only {100 * of_copies:.0f} % of *{SHIFTED_COPIES}* are found")
    elif share >= (_EXPECTED + of_copies) / 2:
        said.append(f"**memorising** ({100 * share:.0f} % of its cubes are near a training cube)")
    elif share > 2 * _EXPECTED and measured.nearest.p_value < _UNLIKELY:
        said.append(f"**some near copies** ({100 * share:.0f} % of its cubes)")
    fraction = measured.diversity.value / real.diversity.value
    if fraction < _LITTLE_DIVERSITY:
        said.append(f"**little diversity** ({100 * fraction:.0f} % of real)")
    return "; ".join(said) or "**passes**"


def _above_floor(found: Comparison) -> bool:
    """Whether a distance is larger than two halves of the real set are apart by chance."""
    return found.floor_range is None or _at_m(found) > found.floor_range[1]


def _at_m(found: Comparison) -> float:
    """Distance of patches at the size of the floor where there is one, else of all cubes."""
    value = found.value if found.value_at_m is None else found.value_at_m
    assert value is not None  # cubes are finite, so there is a distance
    return value
