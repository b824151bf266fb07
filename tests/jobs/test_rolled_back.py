"""A run that went back to an earlier state reads as if what came after it had not been."""

import pytest

from napari_hsisynth.jobs import RunFolder
from napari_hsisynth.jobs.process import identity


@pytest.fixture
def run(tmp_path):
    """One that trained to 32 images, went back to 16, and is at 24 again."""
    run = RunFolder(tmp_path)
    run.append("started", **identity(), verb="train", device="cpu", resumed_at=None)
    for images in (8, 16, 24, 32):
        run.append("progress", done=images, total=64, unit="images", rate=1.0, eta_s=9.0)
    run.append("warning", message="the loss has risen")
    run.append("rolled_back", resumed_at=16, reached=32, lr=5e-4, reason="the loss has risen")
    return run


def positions(run):
    return [event.images for event in run.events() if event.kind == "progress"]


def test_what_came_after_is_superseded_and_the_return_is_kept(run):
    assert positions(run) == [8, 16]
    state = run.state()
    assert (state.status, state.images, state.eta_s) == ("running", 16, None)
    run.append("progress", done=24, total=64, unit="images", rate=1.0, eta_s=8.0)
    assert positions(run) == [8, 16, 24]
    assert run.state().images == 24
    assert [event.kind for event in run.events() if event.kind in ("warning", "rolled_back")] == [
        "warning",
        "rolled_back",
    ]


def test_a_later_resume_before_or_after_it_holds(run):
    run.append("progress", done=24, total=64, unit="images", rate=1.0, eta_s=8.0)
    run.append("stopped", images=24)
    run.append("started", **identity(), verb="train", device="cpu", resumed_at=16)
    assert positions(run) == [8, 16]
    assert sum(event.kind == "rolled_back" for event in run.events()) == 1
    assert run.state().status == "running"
