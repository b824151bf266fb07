"""One file per model family: its networks, losses, optimisers and step. The loop knows none of them.

A recipe is registered under the name that ``--model`` takes::

    @register("vae")
    class VAERecipe: ...
"""

from napari_hsisynth.training.recipes.registry import Recipe, recipe_for, register

__all__ = ["Recipe", "recipe_for", "register"]
