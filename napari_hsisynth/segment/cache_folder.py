"""The folder for what can be had again: embeddings, downloaded weights."""

from __future__ import annotations

import os
from pathlib import Path

#: Environment variable that names a folder to use instead of the user's own.
REDIRECT = "HSISYNTH_CACHE"


def cache_folder() -> Path:
    """Return where this program keeps what it can make or fetch again; it need not exist yet."""
    redirected = os.environ.get(REDIRECT)
    if redirected:
        return Path(redirected)
    from platformdirs import user_cache_path

    return user_cache_path("napari-hsisynth", appauthor=False)
