"""Going back to an earlier state of a training with a smaller learning rate."""

from __future__ import annotations

from typing import Any

#: A training that diverges again after so many times of going back has another trouble than its learning rate.
MOST_ROLL_BACKS = 3


def slowed(state: Any, factor: float) -> Any:
    """Return a recipe's state with the learning rate of every optimiser in it multiplied by `factor`.

    An optimiser's state is known by its ``param_groups``, as torch writes them; the rate is then part of every later
    checkpoint without further ado. Tensors are shared with `state`, not copied.

    Examples
    --------
    >>> slowed({"optimiser": {"state": {}, "param_groups": [{"lr": 0.5, "eps": 1e-8}]}}, 0.5)
    {'optimiser': {'state': {}, 'param_groups': [{'lr': 0.25, 'eps': 1e-08}]}}
    """
    if isinstance(state, list):
        return [slowed(value, factor) for value in state]
    if not isinstance(state, dict):
        return state
    changed = {name: slowed(value, factor) for name, value in state.items()}
    if "param_groups" in state:
        changed["param_groups"] = [group | {"lr": group["lr"] * factor} for group in state["param_groups"]]
    return changed
