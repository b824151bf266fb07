"""How the command line is put together: the parser, the verbs' common options, and types of arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from napari_hsisynth.errors import InputError
from napari_hsisynth.terminal import Output, error_line

DONE, FAILED, BAD_INPUT = 0, 1, 2


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        error_line(f"{message}; see: {self.prog} --help")
        sys.exit(BAD_INPUT)


def wavelengths(text: str) -> Any:
    """Comma-separated band centres in nm, or ``first:last:bands`` for an even grid."""
    from napari_hsisynth.study.wavelengths import parse_wavelengths

    try:
        return parse_wavelengths(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 1 or more")
    return int(text)


def seed(text: str) -> int:
    """Take the seed of random numbers: a whole number, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 0 or more")
    return int(text)


def assignment(text: str) -> tuple[str, str]:
    """Take ``K=V``."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form K=V")
    return name, value


class Verbs:
    """The verbs of a parser, to which each file of this room adds its own.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of the whole program.
    """

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._shared = OneLineParser(add_help=False)
        self._shared.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        self._shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
        self._verbs = parser.add_subparsers(
            dest="verb", metavar="VERB", title="verbs", required=True, parser_class=OneLineParser
        )

    def add(self, name: str, function: Callable[[argparse.Namespace, Output], int]) -> argparse.ArgumentParser:
        """Add a verb that is done by `function` and described by its docstring."""
        text = (function.__doc__ or "").strip()
        about = text[:1].lower() + text[1:].rstrip(".")
        added = self._verbs.add_parser(name, parents=[self._shared], help=about, description=text)
        added.set_defaults(function=function)
        return added

    @staticmethod
    def reading(to: argparse.ArgumentParser) -> None:
        """Add the options that say how a cube's file is to be read."""
        to.add_argument("--variable", metavar="NAME", help="which array of a file that holds several")
        to.add_argument(
            "--mosaic", metavar="4x4|CSV", help="unfold a raw snapshot-mosaic frame; a CSV gives the layout"
        )
        to.add_argument("--demosaic", action="store_true", help="with --mosaic: every band at full size")
        to.add_argument("--axes", metavar="ORDER", help="order of the axes in the file, for example yxb or byx")

    @staticmethod
    def job(to: argparse.ArgumentParser) -> None:
        """Add what a dock that starts a job says of it."""
        to.add_argument("--run", type=Path, help=argparse.SUPPRESS)  # a run folder made by the dock that started us
