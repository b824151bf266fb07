"""``napari-hsisynth bench``: which benches there are, and how they are called."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from napari_hsisynth.bench.report import Report
from napari_hsisynth.terminal import Output


def bench_command(args: argparse.Namespace, out: Output) -> int:
    """Run the bench called ``args.what`` and print its report; a missed budget is no failure."""
    report = _BENCHES[args.what](args, out)
    out.result(report.to_json(), report.text())
    return 0


def _view(args: argparse.Namespace, out: Output) -> Report:
    from napari_hsisynth.bench.view import bench_view

    return bench_view("quick" if args.quick and args.size == "full" else args.size, out.progress)


#: A further one needs a line here, and its name among the choices of the command line.
_BENCHES: dict[str, Callable[[argparse.Namespace, Output], Report]] = {"view": _view}
