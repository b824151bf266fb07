"""The folder in which Hugging Face's libraries keep what they fetch, so that nothing is fetched twice.

Its layout is documented and shared by all programs of the user::

    models--facebook--sam2.1-hiera-tiny/
      blobs/<etag>                      contents; of large files the name is their sha256
      snapshots/<commit>/<file>         links to them
      refs/main                         the newest commit that was fetched
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from napari_hsisynth.atomic import write_text

_SHA256 = re.compile(r"[0-9a-f]{64}")


def hub_folder() -> Path:
    """Return the folder of all repositories, by the same environment variables as the hub's own library."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    home = os.environ.get("HF_HOME")
    if not home:
        home = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(home).expanduser() / "hub"


def repo_folder(repo: str) -> Path:
    """Return the folder of one repository of models, such as ``facebook/sam2.1-hiera-tiny``."""
    return hub_folder() / ("models--" + repo.replace("/", "--"))


def snapshot(repo: str, files: Iterable[str]) -> Path | None:
    """Return the folder that holds all these files of a repository: of the newest commit, else of any; else None."""
    folder = repo_folder(repo)
    newest = ""
    with contextlib.suppress(OSError):
        newest = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    names = list(files)
    found = sorted((folder / "snapshots").glob("*"), key=lambda path: (path.name != newest, path.name))
    return next((path for path in found if all((path / name).is_file() for name in names)), None)


def stated_sha256(path: Path) -> str:
    """Return the sha256 that the hub stated for a file of a snapshot; empty if it is not known."""
    name = path.resolve().name
    return name if path.is_symlink() and _SHA256.fullmatch(name) else ""


def place(repo: str, commit: str, blobs: dict[str, Path]) -> Path:
    """Make the snapshot of a commit out of files in the repository's ``blobs``; return its folder.

    Parameters
    ----------
    repo : str
    commit : str
        Hash of the commit.
    blobs : dict of str to Path
        File name in the repository -> whole and verified file.
    """
    folder = repo_folder(repo)
    target = folder / "snapshots" / commit
    target.mkdir(parents=True, exist_ok=True)
    for name, blob in blobs.items():
        link = target / name
        if link.is_symlink() and not link.exists():
            link.unlink()
        if link.exists():
            continue
        try:
            link.symlink_to(os.path.relpath(blob, target))
        except FileExistsError:  # another program has just made it
            continue
        except OSError:  # Windows allows links only to some users: then a copy, complete before it has its name
            half = link.with_name(link.name + ".part")
            shutil.copyfile(blob, half)
            half.replace(link)
    write_text(folder / "refs" / "main", commit)
    return target
