"""The command line: ``napari-hsisynth VERB``. One thin function per verb; the work is done in the rooms.

Exit status: 0 done, 1 failed at run time, 2 bad usage or bad input. Rooms are imported inside the verbs, so that
``--help`` and the light verbs start fast.
"""

from __future__ import annotations

import argparse
import os
import sys

from napari_hsisynth import __version__
from napari_hsisynth.cli import (
    ablating,
    agreement,
    benching,
    cropping,
    cubes,
    exchange,
    generating,
    inverting,
    results,
    segmenting,
    splitting,
)
from napari_hsisynth.cli.parser import BAD_INPUT, DONE, FAILED, OneLineParser, Verbs
from napari_hsisynth.errors import InputError
from napari_hsisynth.terminal import Output, error_line

#: In the order in which ``--help`` lists their verbs.
_GROUPS = (
    cubes,
    exchange,
    segmenting,
    agreement,
    cropping,
    splitting,
    generating,
    inverting,
    ablating,
    results,
    benching,
)

__all__ = ["BAD_INPUT", "DONE", "FAILED", "build_parser", "main"]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    parser = OneLineParser(
        prog="napari-hsisynth", description="Hyperspectral dermoscopy: see, mask, crop, train, sample, measure."
    )
    parser.add_argument("--version", action="version", version=f"napari-hsisynth {__version__}")
    verbs = Verbs(parser)
    for group in _GROUPS:
        group.add_verbs(verbs)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one verb.

    Parameters
    ----------
    argv : list of str, optional
        The words behind the program's name; those of the process by default.

    Returns
    -------
    int
        0 done, 1 failed at run time, 2 bad usage or bad input.
    """
    words = sys.argv[1:] if argv is None else argv
    args = build_parser().parse_args(words or ["open"])
    out = Output(as_json=args.json)
    try:
        return args.function(args, out)
    except KeyboardInterrupt:
        out.end_progress()
        error_line("interrupted")
        return FAILED
    except BrokenPipeError:  # whoever read our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        return DONE
    except Exception as error:  # the one place where any failure becomes a line and a status
        if args.debug:
            raise
        out.end_progress()
        if isinstance(error, InputError):
            error_line(error)
            return BAD_INPUT
        error_line(f"{type(error).__name__}: {error}; --debug shows where")
        return FAILED
