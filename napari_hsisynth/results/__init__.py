"""The table of results: every model after a stated budget, beside real cubes and generators that learn nothing."""

from napari_hsisynth.results.trivial import mean_plus_noise, shifted_copies

__all__ = ["mean_plus_noise", "shifted_copies"]
