"""The ablation trains each critic once, goes on where it was stopped, and says what its figures are worth."""

import json

import numpy as np
import pytest

from napari_hsisynth.cli import main
from napari_hsisynth.jobs import list_runs
from napari_hsisynth.training import ablation
from napari_hsisynth.training.ablation import VARIANTS, _distances


def words(study, tiny, out, **changes):
    values = {**tiny.settings, "max_images": 8, "batch_size": 4, "augment": False, **changes}
    sets = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    return ["ablate", str(study.root), *sets, "--out", str(out)]


def test_four_runs_and_one_table_and_nothing_is_trained_twice(study, tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ablation, "_HALVES", 2)
    resumed = []
    monkeypatch.setattr(ablation, "resume", stopping(ablation.resume, resumed))
    stopped = stopping(ablation.train, [], stop_at=2)
    monkeypatch.setattr(ablation, "train", stopped)
    command = words(study, tiny, tmp_path / "table.md")
    assert main(command) == 0
    assert "stopped" in capsys.readouterr().out
    assert not (tmp_path / "table.md").exists()
    monkeypatch.setattr(ablation, "train", stopping(ablation.train.function, []))

    assert main(command) == 0
    first = capsys.readouterr().out
    assert len(resumed) == 2  # the first variant is done, the second one goes on
    assert len(list_runs(study.root)) == 4
    assert main(command) == 0
    assert capsys.readouterr().out == first  # from the same runs, to the digit
    assert len(list_runs(study.root)) == 4

    found = json.loads((tmp_path / "table.json").read_text())
    assert [row["variant"] for row in found["rows"]] == list(VARIANTS)
    configs = [run.config for run in list_runs(study.root)]
    chosen = {(c["critic"], c["spectral_norm"], c["fourier_arm"]) for c in configs}
    assert chosen == {tuple(changes.values()) for changes in VARIANTS.values()}
    assert {(c["loss"], c["gp_weight"], c["n_critic"]) for c in configs} == {("wgan-gp", 10.0, 2)}
    plain, three, normed, fourier = (row["critic_parameters"] for row in found["rows"])
    assert plain < three == normed < fourier
    assert len({row["generator_parameters"] for row in found["rows"]}) == 1
    for figures in (found["floor"], *(row["figures"] for row in found["rows"])):
        assert set(figures) == {"spectra_distance", "patch_distance", "mean_angle_deg"}
        assert all(np.isfinite(list(figures.values())))
    table = (tmp_path / "table.md").read_text()
    assert table.count("\n|") == 2 + 4 + 1
    assert "PHANTOM" not in table


class stopping:
    """Calls `function`, asking the run of one of the calls to stop before it begins, and remembers the calls."""

    def __init__(self, function, calls, stop_at=None):
        self.function, self.calls, self.stop_at = function, calls, stop_at

    def __call__(self, *args, **kwargs):
        self.calls.append(args)
        if len(self.calls) == self.stop_at:
            kwargs["run"].request_stop()
        return self.function(*args, **kwargs)


@pytest.mark.parametrize("change", ["critic=3d", "spectral_norm=true", "fourier_arm=true"])
def test_what_the_variants_differ_in_is_not_to_be_set(study, tiny, tmp_path, capsys, change):
    assert main([*words(study, tiny, tmp_path / "table.md"), "--set", change]) == 2
    assert change.split("=")[0] in capsys.readouterr().err
    assert not list_runs(study.root)


def test_figures_of_real_images_are_the_floor_and_those_of_others_are_above(monkeypatch):
    monkeypatch.setattr(ablation, "_HALVES", 3)
    rng = np.random.default_rng(0)
    real, alike = (rng.normal(1, 0.1, (12, 4, 16, 16)).astype(np.float32) for _ in range(2))
    tilted = alike * np.linspace(0.8, 1.2, 4, dtype=np.float32)[:, None, None]
    floor, close, far = (_distances(real, images, 0) for images in (None, alike, tilted))
    for name in floor:
        assert close[name] == pytest.approx(floor[name], rel=0.5)
        assert far[name] > 3 * floor[name]


def test_too_few_held_out_images_have_no_floor():
    images = np.ones((3, 2, 16, 16), np.float32)
    assert _distances(images, None, 0) == {}
    assert _distances(images, images, 0)["spectra_distance"] == 0
