"""What is known of the generators behind synthetic cubes: their runs, what they were trained on, how they were judged.

Where a study has the run, its folder says so. Cubes that came from a data set keep its card beside them, which says it
where the run is not in the study.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import yaml

from napari_hsisynth.errors import InputError
from napari_hsisynth.study.crop_subset import drawn_crops
from napari_hsisynth.study.crops import read_crops_index
from napari_hsisynth.study.dataset.card_fields import EVALUATION, check_fields
from napari_hsisynth.study.dataset.choice import Chosen
from napari_hsisynth.study.dataset.layout import no_number, read_card
from napari_hsisynth.study.split_file import SPLITS, read_split
from napari_hsisynth.study.study import Study

#: What of a figure goes into the card.
_OF_A_FIGURE = ("label", "value", "unit", "ci", "floor", "n", "better", "note")
#: What of the ``run`` part of a configuration does.
_OF_A_RUN = ("package_version", "torch_version", "git_commit", "device", "init")

#: What a card says of the cubes of a generator, not of the generator.
_OF_THESE_CUBES = ("run", "cubes", "checkpoints", "drawing")


def generators(study: Study, chosen: Iterable[Chosen]) -> list[dict[str, Any]]:
    """Return, for every run that made some of the cubes, what is known of it; JSON types, sorted by run.

    Each has ``run``, ``model`` and ``phantom``, and how many ``cubes`` of which ``checkpoints``. With ``known`` true
    there are also ``configuration``, ``made_with`` and ``training_data``.
    """
    counts: dict[str, Counter[tuple[str, str]]] = {}
    folders: dict[str, Path] = {}
    for one in chosen:
        record = one.record
        counts.setdefault(record.run, Counter())[record.checkpoint, record.source_sha256] += 1
        folders.setdefault(record.run, one.folder)
    found = []
    for run in sorted(counts):
        unknown = {"model": "", "phantom": _of_phantoms(study), "known": False}
        about = _of_study(study, run) or _carried(folders[run], run) or unknown
        checkpoints = [
            {"checkpoint": label, "sha256": sha256, "cubes": number}
            for (label, sha256), number in sorted(counts[run].items())
        ]
        found.append({"run": run, **about, "cubes": counts[run].total(), "checkpoints": checkpoints})
    return found


def evaluations(study: Study, chosen: Iterable[Chosen]) -> list[dict[str, Any]]:
    """Return the newest evaluation of every set that has one; JSON types, sorted by set.

    ``n_synthetic`` of its ``n_set`` cubes were measured: an evaluation may be of some diagnoses, and a set may have
    grown since.
    """
    folders = {one.set_name: one.folder for one in chosen}
    newest: dict[str, dict[str, Any]] = {}
    for run in sorted(study.runs_dir.glob("*/config.yaml")):
        about = _yaml(run).get("run") or {}
        of = str(about.get("synthetic") or "").removeprefix("synthetic/") if about.get("verb") == "evaluate" else ""
        report = _json(run.parent / "report" / "metrics.json") if of in folders else {}
        figures = {"set": of, "run": run.parent.name, **_figures(report)} if report.get("metrics") else {}
        if figures and _is_evaluation(figures):
            newest[of] = figures | {"n_set": len(read_crops_index(folders[of]))}
    for name, folder in folders.items():
        if name not in newest:
            carried = _card(folder).get("evaluations") or []
            newest |= {f"{name}/{each['set']}": {**each, "set": f"{name}/{each['set']}"} for each in carried}
    return [newest[name] for name in sorted(newest)]


def carried_licence(chosen: Iterable[Chosen]) -> str:
    """Return the licence of the data sets that all the cubes came from; empty unless it is one and the same."""
    found = {_card(folder).get("licence", "") for folder in {one.folder for one in chosen}}
    return str(found.pop()) if len(found) == 1 else ""


def _figures(report: dict[str, Any]) -> dict[str, Any]:
    metrics, compared = (part if isinstance(part, dict) else {} for part in (report["metrics"], report.get("compared")))
    figures = {
        name: {key: figure[key] for key in _OF_A_FIGURE if figure.get(key) not in (None, "")}
        for name, figure in metrics.items()
        if isinstance(figure, dict)
    }
    return {
        "split": compared.get("split of the real cubes", ""),
        "diagnosis": compared.get("diagnosis", ""),
        "n_real": report.get("n_real"),
        "n_synthetic": report.get("n_synthetic"),
        "figures": figures,
        "findings": report.get("findings") or [],
    }


def _is_evaluation(figures: dict[str, Any]) -> bool:
    """Whether what a report says can be used; a torn or foreign one cannot."""
    try:
        check_fields(figures, EVALUATION, where="report")
    except InputError:
        return False
    return True


def _of_study(study: Study, run: str) -> dict[str, Any] | None:
    """Return what the study's own run folder says; None if it has no such run."""
    folder = study.runs_dir / run
    stored = _yaml(folder / "config.yaml")
    about = stored.pop("run", None) or {}
    if about.get("verb") != "train":
        return None
    return {
        "model": str(stored.get("model") or ""),
        "phantom": _of_phantoms(study),
        "known": True,
        "configuration": _without_folders(stored),
        "made_with": _without_folders({key: about[key] for key in _OF_A_RUN if about.get(key) is not None}),
        "training_data": {
            "study": study.name,
            "notes": study.notes,
            "fingerprint": str(about.get("data_fingerprint") or ""),
            "diagnosis": about.get("diagnosis") or "all",
            "conditioned_on": list(about.get("classes") or ()),
            "crops": _training_crops(study, folder, str(about.get("diagnosis") or ""), stored),
        },
    }


def _of_phantoms(study: Study) -> bool:
    return "PHANTOM" in study.notes


def _training_crops(study: Study, run: Path, diagnosis: str, settings: Mapping[str, Any]) -> dict[str, int]:
    """Count the crops that the run's split and settings train on, as they are cut now, by diagnosis."""
    try:
        split, _ = read_split(run / SPLITS)
        split = split or read_split(study.root / SPLITS)[0]
        records = study.crops()
    except (InputError, OSError, UnicodeDecodeError):
        return {}
    side = [r for r in records if split.get(r.cube_id) == "train" and diagnosis in ("", r.diagnosis.value)]
    trained = [side[n] for n in drawn_crops(side, int(settings.get("train_crops", 0)), int(settings.get("seed", 0)))]
    return dict(sorted(Counter(r.diagnosis.value for r in trained).items()))


def _carried(folder: Path, run: str) -> dict[str, Any] | None:
    """Return what the card of the data set that the cubes came from says of a run."""
    for about in _card(folder).get("generators") or []:
        if about.get("run") == run:
            return {key: value for key, value in about.items() if key not in _OF_THESE_CUBES}
    return None


def _card(folder: Path) -> dict[str, Any]:
    try:
        return read_card(folder)
    except InputError:
        return {}


def _without_folders(value: Any) -> Any:
    """Return a configuration without the folders of the machine it was made on: of absolute paths only the names."""
    if isinstance(value, dict):
        return {key: _without_folders(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_folders(item) for item in value]
    if isinstance(value, str):
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(value).is_absolute():
                return kind(value).name
    return value


def _yaml(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}  # not a run of ours, or a torn one
    return value if isinstance(value, dict) else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=no_number)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
