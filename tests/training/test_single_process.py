"""One process trains without Lightning, whose import takes longer than all else before the first step."""

import inspect
import sys

import pytest
import torch

from napari_hsisynth.training.device import make_fabric
from napari_hsisynth.training.single_process import SingleProcess


@pytest.mark.parametrize("name", ["lightning", "lightning.fabric"])
def test_one_process_needs_no_lightning(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)  # importing it raises
    alone = make_fabric("cpu", "32")
    assert (alone.device, alone.world_size, alone.is_global_zero) == (torch.device("cpu"), 1, True)
    with pytest.raises(ImportError):
        make_fabric("cpu", "32", devices=2)


def test_nothing_is_exchanged():
    alone = SingleProcess(torch.device("cpu"), "32")
    values = torch.arange(3.0)
    alone.barrier()
    assert alone.all_reduce(values, reduce_op="mean") is values
    assert alone.broadcast("run", src=0) == "run"


@pytest.mark.parametrize(("precision", "dtype"), [("32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_precision_is_that_of_the_block(precision, dtype):
    layer = torch.nn.Linear(4, 2)
    with SingleProcess(torch.device("cpu"), precision).autocast():
        assert layer(torch.ones(1, 4)).dtype == dtype
    assert layer(torch.ones(1, 4)).dtype == torch.float32


@pytest.mark.slow
def test_it_can_be_called_as_fabric_is():
    from lightning.fabric import Fabric

    for name, method in inspect.getmembers(SingleProcess, inspect.isfunction):
        if not name.startswith("_"):
            theirs = inspect.signature(getattr(Fabric, name)).parameters
            for parameter in list(inspect.signature(method).parameters.values())[1:]:
                assert parameter.name in theirs or any(p.kind is p.VAR_KEYWORD for p in theirs.values()), name
