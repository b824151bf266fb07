"""The table as markdown: figures beside floors, verdicts by rule, and the command that makes it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from napari_hsisynth import __version__
from napari_hsisynth.metrics.findings import number, span
from napari_hsisynth.metrics.resampling import Comparison
from napari_hsisynth.results.data_set import Results
from napari_hsisynth.results.measures import Measured
from napari_hsisynth.results.verdicts import MEAN_PLUS_NOISE, RULES, SHIFTED_COPIES, verdict

_HEAD = """# Results

Made by one command; what it prints is not edited by hand:

    {command}

Version {version} of napari-hsisynth. Every model is trained on the training split, told the diagnosis, for the budget
that its row states, and draws as many cubes of each diagnosis as are held out. Distances are measured to the held-out
real cubes, at {size} px.

- **real, two halves** is the floor: the distance between two random halves of the held-out real cubes, and its 95 %
  range over 200 draws. The first table gives every distance at the same number of cubes, to be held against it.
- **{noise}** is the mean training image with noise of the training set's covariance between bands in each pixel;
  **{copies}** are training crops, moved by up to an eighth of the side and mirrored. Both are told the diagnosis.
- *Spectra* is the sliced Wasserstein distance of pixel spectra in the camera's unit; *patches* that of 7 x 7 px patches
  in all bands on every level of a Laplacian pyramid, in standard deviations of the real cubes; *class means* the angle
  between mean spectra of the same diagnosis, mean over the diagnoses; *diversity* the mean distance between two cubes
  of the set, in deviations. *Near a training cube* is the share of cubes whose nearest training cube stands out from
  the second nearest more than it does for 95 % of the held-out cubes; *nearest* is the median distance to it.
- A row *from* a study is of a training that began with the weights which the same training had left on that study.

The verdict follows from the figures by rule:

{rules}
"""


def markdown(results: list[Results], *, command: str, pictures: Mapping[str, str] | None = None) -> str:
    """Write the tables of all data sets.

    Parameters
    ----------
    results : list of Results
        One for each data set.
    command : str
        The command line that makes this text.
    pictures : mapping of str to str, optional
        Sheet of samples of a study, by its name, as a path relative to the text.

    Returns
    -------
    str
        Without a date or a path, so that the same runs give the same text.
    """
    sizes = sorted({one.data.real.images.shape[-1] for one in results})
    head = _HEAD.format(
        command=command,
        version=__version__,
        size=" and ".join(map(str, sizes)),
        noise=MEAN_PLUS_NOISE,
        copies=SHIFTED_COPIES,
        rules="\n".join(f"- {rule}" for rule in RULES),
    )
    return "\n".join([head, *(_section(one, (pictures or {}).get(one.data.study.name)) for one in results)])


def _section(results: Results, picture: str | None) -> str:
    data, real = results.data, results.real
    bands = data.real.images.shape[1]
    counts = [_counts(cubes.diagnoses) for cubes in (data.train, data.real)]
    lines = [
        f"## {data.study.name}",
        "",
        *([f"**{_escaped(data.study.notes)}**", ""] if data.study.notes else []),
        f"{bands} bands, {data.wavelengths_nm.min():.0f}-{data.wavelengths_nm.max():.0f} nm. Training: {counts[0]}."
        f" Held out: {counts[1]}.",
        *(f"Note: {_escaped(note)}." for note in data.notes[:5]),
        "",
        f"### Beside the floor, {real.m} cubes on each side",
        "",
        _row("", "spectra", "patches", "class means", "diversity", "near a training cube", "nearest", "verdict"),
        _row("---", *["---:"] * 6, "---"),
    ]
    first = results.measured[MEAN_PLUS_NOISE]
    share = f"5 % ({100 * real.share_range[0]:.0f} to {100 * real.share_range[1]:.0f} %)"
    floors = [_floor(one, unit) for one, unit in _distances(first)]
    lines.append(
        _row(
            "real, two halves",
            *floors,
            f"{number(real.diversity.value)} ({span(real.diversity.ci)})",
            share,
            number(_median(first.nearest.held_out_distance)),
            "",
        )
    )
    noise, copies = first, results.measured[SHIFTED_COPIES]
    for name, measured in results.measured.items():
        trivial = name in (MEAN_PLUS_NOISE, SHIFTED_COPIES)
        lines.append(
            _row(
                _escaped(name),
                *(_at_m(one, unit) for one, unit in _distances(measured)),
                number(measured.diversity.value),
                f"{100 * measured.nearest.share:.0f} %",
                number(_median(measured.nearest.distance)),
                "learns nothing"
                if trivial
                else verdict(measured, real, noise, copies, redrawn=name in results.redrawn),
            )
        )
    lines += [_row(_escaped(name), *["–"] * 6, f"**failed**: {_escaped(why)}") for name, why in results.failed.items()]
    lines += ["", *_with_intervals(results), "", *_levels(results), "", *_budgets(results)]
    if picture:
        lines += ["", f"![Real cubes and samples of every generator, in CIE colours at one contrast]({picture})"]
    return "\n".join(lines) + "\n"


def _with_intervals(results: Results) -> list[str]:
    lines = [
        f"### With all {results.real.n} cubes on each side, and 95 % intervals over cubes",
        "",
        _row("", "spectra", "patches", "class means", "diversity"),
        _row("---", *["---:"] * 4),
    ]
    for name, measured in results.measured.items():
        distances = [_with_interval(one, unit) for one, unit in _distances(measured)]
        diversity = f"{number(measured.diversity.value)} ({span(measured.diversity.ci)})"
        lines.append(_row(_escaped(name), *distances, diversity))
    return lines


def _levels(results: Results) -> list[str]:
    side = results.data.real.images.shape[-1]
    first = results.measured[MEAN_PLUS_NOISE]
    sides = [-(-side // 2**k) for k in range(len(first.levels))]
    lines = [
        f"### Patches, level by level, {results.real.m} cubes on each side",
        "",
        _row("", *(f"{one} px" for one in sides)),
        _row("---", *["---:"] * len(sides)),
        _row("real, two halves", *(_floor(level, "") for level in first.levels)),
    ]
    lines += [_row(_escaped(name), *(_at_m(one, "") for one in m.levels)) for name, m in results.measured.items()]
    return lines


def _budgets(results: Results) -> list[str]:
    lines = ["### Budgets", "", _row("", "images", "seconds", "images/s", "device"), _row("---", *["---:"] * 3, "---")]
    for name, one in results.trainings.items():
        rate = one.images / one.seconds if one.seconds > 0 else None
        lines.append(_row(_escaped(name), f"{one.images:,}", f"{one.seconds:,.0f}", number(rate), _escaped(one.device)))
    return lines


def _distances(measured: Measured) -> list[tuple[Comparison, str]]:
    return [(measured.spectra, ""), (measured.patches, ""), (measured.class_angle, "rad")]


def _floor(found: Comparison, unit: str) -> str:
    return "–" if found.floor is None else f"{number(found.floor, unit)} ({span(found.floor_range, unit)})"


def _at_m(found: Comparison, unit: str) -> str:
    """The distance, and how many floors high it is."""
    if found.value_at_m is None or not found.floor:
        return number(found.value, unit)
    return f"{number(found.value_at_m, unit)} ({found.value_at_m / found.floor:.1f} x)"


def _with_interval(found: Comparison, unit: str) -> str:
    return f"{number(found.value, unit)} ({span(found.ci, unit)})"


def _median(values: object) -> float:
    import numpy as np

    return float(np.median(np.asarray(values)))


def _counts(diagnoses: object) -> str:
    from napari_hsisynth.study import Diagnosis

    found = Counter(str(one) for one in diagnoses)  # type: ignore[attr-defined]
    total = sum(found.values())
    parts = ", ".join(f"{count:,} {Diagnosis(name).label}" for name, count in sorted(found.items()))
    return f"{total:,} crops ({parts})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Text that stays in its cell."""
    return " ".join(text.replace("|", "\\|").split())
