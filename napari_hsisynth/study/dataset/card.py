"""The card of a data set: what it is, where it comes from, and what it must not be taken for.

After "Datasheets for datasets" (Gebru et al., Communications of the ACM 64(12), 2021, arXiv 1803.09010); the page for
people begins with the fields that the dataset cards of Hugging Face have.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from numpy.typing import NDArray

from napari_hsisynth import __version__
from napari_hsisynth.atomic import write_json, write_text
from napari_hsisynth.study.dataset.checksums import SUMS
from napari_hsisynth.study.dataset.layout import CARD, KIND, PREVIEWS, README, TABLE, VERSION, WAVELENGTHS
from napari_hsisynth.study.dataset.table import Row
from napari_hsisynth.study.diagnosis import Diagnosis

#: Figures of these names say whether samples are copies of training cubes.
_OF_COPYING = ("nearest", "near_training", "memoris")


@dataclass(frozen=True)
class Contents:
    """What a card is made of.

    Parameters
    ----------
    title, licence : str
        As given.
    cube_format : str
        "mat" or "envi".
    masks : str
        Which were asked for.
    automatic : str
        How automatic masks were made; empty if none were.
    wavelengths_nm : ndarray, shape (bands,)
        Of all cubes.
    rows : list of Row
        All cubes.
    generators, evaluations : list of dict
        See `generators`.
    first_n : int, optional
        If only the first cubes of each diagnosis in each set were taken.
    """

    title: str
    licence: str
    cube_format: str
    masks: str
    automatic: str
    wavelengths_nm: NDArray[Any]
    rows: Sequence[Row]
    generators: Sequence[dict[str, Any]]
    evaluations: Sequence[dict[str, Any]]
    first_n: int | None = None

    @property
    def phantom(self) -> bool:
        """Whether some generator was trained on phantoms."""
        return any(each["phantom"] for each in self.generators)


def write_card(folder: Path, contents: Contents) -> None:
    """Write ``datacard.json`` and ``README.md``; the table is there already."""
    card = _card(contents, hashlib.sha256((folder / TABLE).read_bytes()).hexdigest())
    write_json(folder / CARD, card)
    write_text(folder / README, _page(card))


def _card(contents: Contents, table_sha256: str) -> dict[str, Any]:
    rows = contents.rows
    sizes = Counter(row.record.shape_yx for row in rows)
    lowest = [row.values.lowest for row in rows if row.values.lowest is not None]
    highest = [row.values.highest for row in rows if row.values.highest is not None]
    return {
        "format": KIND,
        "version": VERSION,
        "synthetic": True,
        "phantom": contents.phantom,
        "title": contents.title,
        "licence": contents.licence,
        "software": f"napari-hsisynth {__version__}",
        "table_sha256": table_sha256,
        "cubes": {
            "n": len(rows),
            "by_diagnosis": _counted(row.record.diagnosis.value for row in rows),
            "by_set": _counted(row.set_name for row in rows),
            "first_of_each": contents.first_n,
            "format": contents.cube_format,
            "sizes_yx_px": [[*size] for size in sorted(sizes)],
            "wavelengths_nm": [float(nm) for nm in contents.wavelengths_nm],
            "lowest": min(lowest, default=None),
            "highest": max(highest, default=None),
            "invalid_px": sum(row.values.invalid_px for row in rows),
        },
        "masks": {
            "asked_for": contents.masks,
            "by_source": _counted(row.record.mask_source for row in rows),
            "empty": sum(row.record.mask_source != "none" and not row.lesion_px for row in rows),
            "automatic": contents.automatic,
        },
        "generators": list(contents.generators),
        "evaluations": list(contents.evaluations),
        "limits": _limits(contents),
    }


def _counted(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _limits(contents: Contents) -> list[str]:
    """Say what the data must not be taken for, as far as this can be known here."""
    said = [
        "The cubes are SYNTHETIC: no patient, no lesion and no camera is behind any of them. A diagnosis is what the"
        " generator was asked for, not one that anybody made.",
        "A generator repeats what its training data lack or overstate: skin types, body sites, cameras, lesions.",
    ]
    if contents.phantom:
        said.insert(1, "PHANTOM: training data were simulated cubes (see the generators), not of patients either.")
    judged = {each["set"].split("/")[0] for each in contents.evaluations}
    missing = sorted({row.set_name for row in contents.rows} - judged)
    if missing:
        said.append(f"Not evaluated against real cubes: {', '.join(missing)}.")
    tested = sorted({e["set"] for e in contents.evaluations if any(_is_of_copying(name) for name in e["figures"])})
    said.append(
        f"Nearness to training cubes is among the figures of: {', '.join(tested)}; look at it before sharing."
        if tested
        else "Memorisation was not tested: cubes may come near to single training cubes. Test it before sharing them"
        " further than the training data."
    )
    if any(not each.get("known") for each in contents.generators):
        said.append("Of some generators nothing but the run's name is known.")
    if contents.automatic:
        said.append("Automatic masks are a segmenter's opinion, not what a cube was made from.")
    invalid = sum(row.values.invalid_px > 0 for row in contents.rows)
    if invalid:
        said.append(f"{invalid} cubes have pixels that are not finite; these are kept as they are.")
    return said


def _is_of_copying(name: str) -> bool:
    return any(part in name for part in _OF_COPYING)


def _page(card: dict[str, Any]) -> str:
    cubes, masks = card["cubes"], card["masks"]
    nm = cubes["wavelengths_nm"]
    front = {
        "pretty_name": card["title"],
        "license": "other",
        "license_details": card["licence"],
        "tags": ["synthetic", "hyperspectral", "dermoscopy", *(["phantom"] if card["phantom"] else [])],
    }
    phantom = " **PHANTOM**: the training data were simulated." if card["phantom"] else ""
    sizes = ", ".join(f"{height} x {width}" for height, width in cubes["sizes_yx_px"])
    span = f"{cubes['lowest']:.4g} to {cubes['highest']:.4g}" if cubes["lowest"] is not None else "none is finite"
    part = f" The first {cubes['first_of_each']} of each diagnosis in each set." if cubes["first_of_each"] else ""
    lines = [
        "---",
        yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=120).rstrip(),
        "---",
        "",
        f"# {card['title']}",
        "",
        f"**SYNTHETIC**: {cubes['n']:,} cubes made by generators; none shows a patient.{phantom}",
        "",
        "## What is in it",
        "",
        "| diagnosis asked for | cubes |",
        "|---|---:|",
        *(f"| {Diagnosis(name).label} | {count:,} |" for name, count in cubes["by_diagnosis"].items()),
        "",
        f"- **Cubes**: {_FORMATS[cubes['format']]}, {sizes} px (y x x), {len(nm)} bands {min(nm):g}-{max(nm):g} nm"
        f" (`{WAVELENGTHS}`). Values are corrected intensities in the unit of the training data, {span}, never clipped."
        + part,
        f"- **Masks** (PNG, 255 in the lesion): {_masks(masks)}. `mask_source` in `{TABLE}` says it of every cube:"
        " *conditioning* is the mask that the cube was made from, *automatic* a segmenter's.",
        f"- **`{TABLE}`**: one row per cube: files, diagnosis, generator, checkpoint, seed, condition, mask, lowest,"
        " mean and highest value, SHA-256.",
        f"- **`{PREVIEWS}/`**: contact sheets. **`{CARD}`**: this page for programs. **`{SUMS}`**: check with"
        f" `sha256sum -c {SUMS}`.",
        "",
        "Back into a study, with seeds and masks: `napari-hsisynth import dataset THIS_FOLDER STUDY`. One cube in"
        " Python: `napari_hsisynth.read_cube(FILE).data`, float32 (band, y, x).",
        "",
        "## Generators",
        "",
        *(line for each in card["generators"] for line in _generator(each)),
        "## Figures",
        "",
        *([line for each in card["evaluations"] for line in _evaluation(each)] or ["Not evaluated.", ""]),
        "## Limits",
        "",
        *(f"- {limit}" for limit in card["limits"]),
        "",
        "## Licence and citation",
        "",
        f"Licence: {card['licence']}.",
        "",
        f"Cite the training data, the model's paper, and {card['software']}; say that the cubes are synthetic.",
        "",
    ]
    return "\n".join(lines)


_FORMATS = {
    "mat": "MATLAB 5 `.mat`, variable `DataCubeC` (y, x, band), float32, in the layout of HSIDermoscopy",
    "envi": "ENVI, header `.hdr` beside `.dat`, float32, BSQ, in the folders of HSIDermoscopy",
}


def _masks(masks: dict[str, Any]) -> str:
    said = ", ".join(f"{count:,} {source}" for source, count in masks["by_source"].items())
    said += f"; {masks['empty']:,} of them are empty and have no file" if masks["empty"] else ""
    return said + (f"; automatic: {masks['automatic']}" if masks["automatic"] else "")


def _generator(about: dict[str, Any]) -> list[str]:
    lines = [f"### {about['model'] or 'unknown model'}, run {about['run']}", ""]
    lines += [
        f"- {each['cubes']:,} cubes of checkpoint {each['checkpoint']}, SHA-256 `{each['sha256']}`"
        for each in about["checkpoints"]
    ]
    lines.append(f"- Drawn {', '.join(f'{how} ({count:,})' for how, count in about['drawing'].items())}")
    if about.get("known"):
        data = about["training_data"]
        crops = ", ".join(f"{count:,} {Diagnosis(name).label}" for name, count in data["crops"].items())
        lines += [
            f"- Trained on: {data['study']}{', ' + data['notes'] if data['notes'] else ''}",
            f"- Training crops, as cut and split when this was written: {crops or 'not known any more'}",
            f"- Fingerprint of the training crops: `{data['fingerprint'] or 'not known'}`",
            f"- With: {', '.join(f'{key} {value}' for key, value in about['made_with'].items())}",
            f"- Configuration: `{', '.join(f'{key}={value}' for key, value in about['configuration'].items())}`",
        ]
    else:
        lines.append("- Nothing else is known: its run is not in the study that this was exported from.")
    return [*lines, ""]


def _evaluation(report: dict[str, Any]) -> list[str]:
    lines = [
        f"### {report['set']}",
        "",
        f"Measured: {_share(report)} beside {_count(report.get('n_real'))} real ones, diagnosis"
        f" {report.get('diagnosis') or 'unknown'}, split {report.get('split') or 'unknown'} (run {report['run']}). The"
        " floor is the same figure between two halves of the real cubes.",
        "",
        "| figure | value | 95 % interval | floor |",
        "|---|---:|---:|---:|",
    ]
    for name, figure in report["figures"].items():
        unit = f" ({figure['unit']})" if figure.get("unit") else ""
        interval = figure.get("ci")
        between = f"{interval[0]:.4g} to {interval[1]:.4g}" if interval else ""
        lines.append(
            f"| {figure.get('label', name)}{unit} | {_number(figure.get('value'))} | {between}"
            f" | {_number(figure.get('floor'))} |"
        )
    return [*lines, ""]


def _share(report: dict[str, Any]) -> str:
    """Say how much of its set was measured: an evaluation may be of some diagnoses, and a set may have grown since."""
    measured, there = report.get("n_synthetic"), report.get("n_set")
    if measured is None or there is None:
        return f"{_count(measured)} cubes, of how many in the set is not known,"
    if measured > there:
        return f"{measured:,} cubes of the set, which had {there:,} when this was written,"
    return f"{'all' if measured == there else f'{measured:,} of'} {there:,} cubes of the set"


def _count(number: int | None) -> str:
    return "an unknown number of" if number is None else f"{number:,}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
