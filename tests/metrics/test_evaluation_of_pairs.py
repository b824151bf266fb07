"""Evaluations of pairs: reconstructions against their originals, and the report of them."""

from __future__ import annotations

import csv
import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_hsisynth import metrics
from napari_hsisynth.atomic import atomic_path
from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics import report as report_module

NM = np.linspace(465, 630, 6)
SKIN, LESION = np.linspace(0.3, 0.8, 6), np.linspace(0.05, 0.3, 6)


def pairs(n=6, seed=0, size=24):
    """Dark discs on skin, each of its own brightness, shape (n, 6, size, size), and their masks."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    mask = (y - size / 2) ** 2 + (x - size / 2) ** 2 < (0.3 * size) ** 2
    disc = np.where(mask, LESION[:, None, None], SKIN[:, None, None])
    cubes = disc * rng.uniform(0.85, 1.15, (n, 1, 1, 1)) + 0.01 * rng.normal(size=(n, *disc.shape))
    return cubes.astype(np.float32), np.repeat(mask[None], n, axis=0)


def test_pairs_give_the_pure_functions_figures():
    originals, masks = pairs()
    made = originals * np.float32(1.02)
    found = metrics.evaluate_pairs(originals, made, NM, masks)
    extent = float(originals.max() - originals.min())
    expected = {
        "psnr": metrics.psnr(made, originals, data_range=extent),
        "ssim": metrics.ssim(made, originals, data_range=extent),
        "rase": metrics.rase(made, originals),
        "rmse": metrics.rmse(made, originals),
        "total_variation_ratio": np.full(6, 1.02),
    }
    for name, values in expected.items():
        measure = found.metrics[name]
        assert measure.value == pytest.approx(float(np.mean(values)), rel=1e-4)
        assert measure.more["median"] == pytest.approx(float(np.median(values)), rel=1e-4)
        assert measure.n == 6
    # a gain changes no spectral angle, so the trivial reconstruction must be worse
    assert found.metrics["spectral_angle"].value == pytest.approx(0, abs=1e-6)
    assert found.metrics["spectral_angle"].more["trivial"] > 0.03
    assert any("data range" in note for note in found.notes)


def test_a_cube_without_a_mask_is_neither_lesion_nor_skin():
    """A crop of a whole cube may show a lesion that nobody has marked: it must not count as skin."""
    originals, masks = pairs()
    tilt = 1 + np.linspace(0, 0.5, 6)[:, None] * np.linspace(-1, 1, 6)
    made = originals * tilt[:, :, None, None]
    masks[0] = False
    found = metrics.evaluate_pairs(originals, made, NM, masks)
    without = metrics.evaluate_pairs(originals[1:], made[1:], NM, masks[1:])
    for region in ("lesion", "skin"):
        name = f"spectral_angle_{region}"
        assert found.metrics[name].value == pytest.approx(without.metrics[name].value, rel=1e-6)
        assert found.metrics[name].n == 5
        spectra = [[s.mean for s in each.spectra if s.region == region] for each in (found, without)]
        np.testing.assert_allclose(*spectra)
    assert found.metrics["spectral_angle"].n == 6


def test_best_median_and_worst_are_what_they_say():
    originals, masks = pairs()
    tilt = 1 + np.linspace(0, 0.5, 6)[:, None] * np.linspace(-1, 1, 6)
    found = metrics.evaluate_pairs(originals, originals * tilt[:, :, None, None], NM, masks, names=list("abcdef"))
    assert [p.title.split(",")[0] for p in found.pair_pictures] == ["best: a", "median: d", "worst: f"]
    angles = [row["spectral_angle"] for row in found.per_cube]
    assert np.nanmean(found.pair_pictures[-1].error) == pytest.approx(np.degrees(max(angles)), rel=1e-4)


def test_a_model_that_does_not_beat_the_trivial_one_is_called_so():
    originals, masks = pairs()
    made = np.broadcast_to(originals.mean(axis=(0, 2, 3))[:, None, None], originals.shape)
    found = metrics.evaluate_pairs(originals, made, NM, masks)
    assert any("does not beat" in sentence for sentence in found.findings)


def test_a_pair_with_nan_is_left_out_and_null(tmp_path):
    originals, masks = pairs()
    made = originals.copy()
    made[2] = np.nan
    found = metrics.evaluate_pairs(originals, made, NM, masks)
    assert found.metrics["rmse"].n == 5
    assert "1 of 6 pairs" in found.metrics["rmse"].note
    assert found.to_json()["cubes"][2]["rmse"] is None
    paths = metrics.write_report(found, tmp_path)
    assert json.loads(paths["json"].read_text("utf-8"))["cubes"][2]["spectral_angle"] is None
    with open(tmp_path / "cubes.csv", newline="") as file:
        assert list(csv.DictReader(file))[2]["rmse"] == ""


def test_what_is_no_pair_is_refused():
    originals, masks = pairs()
    for made in (originals[:5], originals[:, :5], originals[..., :20]):
        with pytest.raises(InputError, match="not pairs"):
            metrics.evaluate_pairs(originals, made, NM, masks)
    with pytest.raises(InputError, match="wavelengths"):
        metrics.evaluate_pairs(originals, originals, NM[:4])
    with pytest.raises(InputError, match="one value"):
        metrics.evaluate_pairs(np.ones((2, 6, 16, 16)), np.ones((2, 6, 16, 16)), NM)


def test_names_from_outside_cannot_inject_markup(tmp_path):
    originals, masks = pairs(2)
    found = metrics.evaluate_pairs(originals, originals, NM, masks, names=["<script>x</script>", "b"])
    assert "<script" not in metrics.write_report(found, tmp_path)["html"].read_text("utf-8")


@pytest.mark.parametrize("name", ["metrics.json", "metrics.csv", "report.html"])
def test_a_full_disk_is_one_clear_error_and_leaves_the_old_report(name, tmp_path, monkeypatch):
    originals, masks = pairs(4)
    found = metrics.evaluate_pairs(originals, originals, NM, masks)
    metrics.write_report(found, tmp_path)
    before = (tmp_path / name).read_bytes()

    def full(path, content):
        if Path(path).name == name:
            with atomic_path(path) as temporary:
                temporary.write_bytes(b"half")
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(report_module, "write_text", full)
    monkeypatch.setattr(report_module, "write_json", full)
    with pytest.raises(InputError, match="disk is full"):
        metrics.write_report(replace(found, notes=("new",)), tmp_path)
    assert (tmp_path / name).read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
