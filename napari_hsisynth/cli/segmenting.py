"""Verbs that make masks: segment; weights, for the segmenters that need some."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from napari_hsisynth.cli.parser import BAD_INPUT, DONE, Verbs
from napari_hsisynth.errors import InputError
from napari_hsisynth.terminal import Output

_MB = 10**6
#: Options of a segmenter, as `load_segmenter` knows them, with what they mean.
_OPTIONS = {
    "model": ("M", "variant of the segmenter, for example tiny or vit_b"),
    "view": ("V", "what it sees: mean (grey, as published), rgb, pca3 or band:NM"),
    "weights": ("PATH", "folder or file of its weights, instead of those fetched before"),
    "device": ("D", "auto, cuda, mps or cpu"),
    "precision": ("P", "auto, float32 or half"),
}


def segment(args: argparse.Namespace, out: Output) -> int:
    """Turn prompts into masks without a display."""
    from napari_hsisynth.segment import segment_path

    given = {name: value for name in _OPTIONS if (value := getattr(args, name)) is not None}
    result = segment_path(
        args.path, prompts=args.prompts, backend=args.backend, out=args.out, progress=out.progress, options=given
    )
    out.notes(result.notes)
    out.result(result.to_json(), result.text())
    return DONE


def weights(args: argparse.Namespace, out: Output) -> int:
    """List, fetch or check the weights of the segmenters that need some."""
    if args.weights is not None and (args.action != "check" or args.name is None):
        raise InputError("is for the check of one segmenter", where="--weights", fix="write: weights check NAME")
    return {"list": _list_weights, "fetch": _fetch_weights, "check": _check_weights}[args.action](args, out)


def _list_weights(args: argparse.Namespace, out: Output) -> int:
    found = [status.to_json() for status in _statuses(args)]
    lines = []
    for each in found:
        where = each["path"] or f"not on this machine; weights fetch {each['name']} --model {each['model']}"
        lines.append(f"{each['name']:5} {each['model']:10} {each['size_mb']:6,} MB  {where}")
    out.result({"weights": found}, "\n".join(lines))
    return DONE


def _fetch_weights(args: argparse.Namespace, out: Output) -> int:
    from napari_hsisynth.segment import segmenter_models, weights_status
    from napari_hsisynth.segment.weights import official_weights
    from napari_hsisynth.segment.weights_download import download

    if args.name is None:
        raise InputError("which segmenter's?", where="weights fetch", fix="write for example: weights fetch sam2")
    official_weights(args.name)  # before its models are asked for
    model = args.model or segmenter_models(args.name)[0]
    was_there = weights_status(args.name, model).present
    located = download(args.name, model, progress=_Megabytes(out), cancelled=bool)
    status = weights_status(args.name, model)
    text = f"{args.name} {model} {'were here already' if was_there else 'fetched and checked'}: {located.path}"
    out.result({**status.to_json(), "sha256": located.stated_sha256}, text)
    return DONE


def _check_weights(args: argparse.Namespace, out: Output) -> int:
    from napari_hsisynth.segment.weights import check_weights, locate_weights

    found: list[dict[str, Any]] = []
    statuses = _statuses(args)
    if args.weights is not None:
        statuses = statuses[:1]
    for status in statuses:
        official = status.official
        if args.weights is None and not status.present:
            continue
        try:
            located = locate_weights(official.name, official.model, args.weights)
            found.append({**status.to_json(), "path": str(located.path), "sha256": check_weights(located), "error": ""})
        except InputError as error:
            found.append({**status.to_json(), "sha256": "", "error": str(error)})
    lines = [f"{each['name']} {each['model']}: {each['error'] or 'ok, sha256 ' + each['sha256']}" for each in found]
    out.result({"weights": found}, "\n".join(lines) or "no weights on this machine")
    return BAD_INPUT if any(each["error"] for each in found) else DONE


def _statuses(args: argparse.Namespace) -> list[Any]:
    from napari_hsisynth.segment import weights_status
    from napari_hsisynth.segment.weights import OFFICIAL, official_weights

    chosen = official_weights(args.name, args.model) if args.name else OFFICIAL
    return [weights_status(each.name, each.model) for each in chosen]


class _Megabytes:
    """Progress in bytes, told in MB and only when that number changes."""

    def __init__(self, out: Output) -> None:
        self._out, self._told = out, -1

    def __call__(self, done: int, total: int) -> None:
        if done // _MB != self._told:
            self._told = done // _MB
            self._out.progress(self._told, total // _MB, "MB")


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("segment", segment)
    p.add_argument("path", type=Path, metavar="STUDY_OR_CUBE")
    p.add_argument("--prompts", type=Path, metavar="FILE", help="JSON with prompts per cube; without it, propose masks")
    p.add_argument("--backend", default="spectral", help="spectral (built in), sam2, sam, or another package's")
    p.add_argument("--out", type=Path, help="for a single cube: the mask's PNG")
    for name, (metavar, about) in _OPTIONS.items():
        p.add_argument(f"--{name}", metavar=metavar, help=about)

    p = verbs.add("weights", weights)
    p.add_argument("action", choices=("list", "fetch", "check"))
    p.add_argument("name", nargs="?", metavar="NAME", help="segmenter: sam2 or sam")
    p.add_argument("--model", metavar="M", help="variant; the smallest for fetch, all for list and check")
    p.add_argument("--weights", type=Path, metavar="PATH", help="for check: your own folder or file")
