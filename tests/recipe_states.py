"""States of recipes, to be compared number by number."""

import torch


def flat(state):
    """All tensors and numbers of a state, however deep they lie, as copies."""
    if isinstance(state, torch.Tensor):
        return [state.detach().clone()]
    if isinstance(state, dict):
        return [tensor for value in state.values() for tensor in flat(value)]
    if isinstance(state, list | tuple):
        return [tensor for value in state for tensor in flat(value)]
    return [torch.tensor(state)] if isinstance(state, int | float) else []


def same(a, b):
    """Whether two states hold the same to the bit; two empty ones do not."""
    a, b = flat(a), flat(b)
    return len(a) == len(b) > 0 and all(map(torch.equal, a, b))
