"""What every GUI test needs."""

from __future__ import annotations

import contextlib

# Mesa's software OpenGL and triton (which torch imports) each bring an LLVM. Triton's library crashes the process when
# it is loaded after OpenGL was, not the other way round; tests that import torch later on need it to be here first.
# napari's own process never imports torch: what needs it runs in child processes.
with contextlib.suppress(ImportError):
    import triton._C.libtriton  # noqa: F401
