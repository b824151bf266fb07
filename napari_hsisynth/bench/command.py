"""``napari-hsisynth bench``: which benches there are, and how they are called."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Protocol

from napari_hsisynth.terminal import Output


class Printable(Protocol):
    """What a bench gives."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""

    def text(self) -> str:
        """Return it for people."""


def bench_command(args: argparse.Namespace, out: Output) -> int:
    """Run the bench called ``args.what`` and print its report; a missed budget is no failure."""
    size = "quick" if args.quick and args.size == "full" else args.size
    report = _BENCHES[args.what](size, out)
    out.result(report.to_json(), report.text())
    return 0


def _view(size: str, out: Output) -> Printable:
    from napari_hsisynth.bench.view import bench_view

    return bench_view(size, out.progress)


def _phantoms(size: str, out: Output) -> Printable:
    from napari_hsisynth.bench.phantoms import bench_phantoms

    return bench_phantoms(size, lambda done, total: out.progress(done, total, "phantoms"))


def _annotate(size: str, out: Output) -> Printable:
    from napari_hsisynth.bench.annotate import bench_annotate

    return bench_annotate(size, out.progress)


def _train(size: str, out: Output) -> Printable:
    from napari_hsisynth.bench.train import bench_train

    return bench_train(size, out.progress)


def _generate(size: str, out: Output) -> Printable:
    from napari_hsisynth.bench.generate import bench_generate

    return bench_generate(size, out.progress)


#: A further bench needs a line here, and its name among the choices of the command line.
_BENCHES: dict[str, Callable[[str, Output], Printable]] = {
    "view": _view,
    "phantoms": _phantoms,
    "annotate": _annotate,
    "train": _train,
    "generate": _generate,
}
