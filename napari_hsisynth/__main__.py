"""``python -m napari_hsisynth`` is the same as the command ``napari-hsisynth``."""

import sys

from napari_hsisynth.cli import main

if __name__ == "__main__":
    sys.exit(main())
