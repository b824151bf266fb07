"""The one error that means "your input", not "our bug"."""

from __future__ import annotations

from typing import Self


class InputError(ValueError):
    """Input that cannot be used: says what is wrong, where, and what to do.

    The command line prints the message as one line and exits with status 2; a dock shows it as a notification. Any
    other exception is a fault of the program (status 1) and keeps its traceback.

    Parameters
    ----------
    what : str
        What is wrong, in a few words, without a final full stop.
    where : object, optional
        The file, folder, field or flag in which it was found.
    fix : str, optional
        What the reader can do about it.

    Examples
    --------
    >>> str(InputError("not a cube: the array has 2 dimensions", where="a.npy", fix="pass a (bands, y, x) array"))
    'a.npy: not a cube: the array has 2 dimensions; pass a (bands, y, x) array'
    """

    def __init__(self, what: str, *, where: object = None, fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(self._message())

    def _message(self) -> str:
        message = self.what if self.where is None else f"{self.where}: {self.what}"
        return " ".join((f"{message}; {self.fix}" if self.fix else message).split())

    def at(self, where: object) -> Self:
        """Return the same error, found at `where`: for parts that do not know which file they read."""
        error = type(self).__new__(type(self))
        error.__dict__.update(self.__dict__, where=where)
        error.args = (error._message(),)
        return error


class MissingExtraError(InputError):
    """A feature whose optional packages are not installed; the message says which command installs them.

    Parameters
    ----------
    feature : str
        What was asked for, for example ``"training"``.
    extra : str
        Name of the extra that brings it, for example ``"train"``.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed", fix=f'run: pip install "napari-hsisynth[{extra}]"'
        )
