"""A model beside its baselines: paired differences against closed forms, words that follow from them, the report."""

from __future__ import annotations

import csv
import doctest
import json

import numpy as np
import pytest

from napari_hsisynth import metrics
from napari_hsisynth.errors import InputError
from napari_hsisynth.metrics import baselines as module
from napari_hsisynth.metrics.baselines import beside, verdict
from napari_hsisynth.metrics.evaluation import Measure

NM = np.linspace(465, 630, 4)


def scene(n=8, size=12, seed=0):
    """Cubes of a smooth spectrum, each of its own brightness, shape (n, 4, size, size)."""
    rng = np.random.default_rng(seed)
    spectrum = np.linspace(0.3, 0.9, 4)[:, None, None]
    return (spectrum * rng.uniform(0.7, 1.2, (n, 1, size, size))).astype(np.float32)


def test_examples_in_the_docs_are_true():
    assert not doctest.testmod(module).failed


def test_a_difference_is_the_mean_of_the_differences_on_the_same_cubes():
    originals = scene()
    off = np.linspace(0.01, 0.08, 8, dtype=np.float32)[:, None, None, None]
    found = metrics.evaluate_pairs(originals, originals + off, NM, baselines={"rival": originals + 2 * off})
    rival = found.metrics["rmse"].more["baselines"]["rival"]
    assert found.metrics["rmse"].value == pytest.approx(0.045, rel=1e-4)
    assert rival["value"] == pytest.approx(0.09, rel=1e-4)
    assert rival["difference"]["value"] == pytest.approx(-0.045, rel=1e-4)
    low, high = rival["difference"]["ci"]
    assert -0.08 < low < -0.045 < high < -0.01
    assert "difference" not in found.metrics["total_variation_ratio"].more["baselines"]["rival"]


def test_pairing_tells_what_the_separate_intervals_hide():
    """Cubes differ much among themselves, the model from the baseline little but always."""
    rng = np.random.default_rng(1)
    theirs = rng.uniform(1, 10, 30)
    found = beside(theirs - 0.1, {"rival": theirs}, better="lower", groups=None, seed=0)["rival"]
    assert found["ci"][1] - found["ci"][0] > 1
    assert found["difference"]["ci"] == pytest.approx((-0.1, -0.1))
    assert verdict(Measure("", "", 1.0, 30), found["difference"]) == "better"


def test_crops_of_one_patient_count_once():
    values = np.repeat([0.0, 1.0, 2.0, 3.0], 25)
    alone, together = (
        beside(values, {"rival": np.zeros(100)}, better="lower", groups=groups, seed=0)["rival"]["difference"]["ci"]
        for groups in (None, [f"P{i // 25}" for i in range(100)])
    )
    assert together[1] - together[0] > 3 * (alone[1] - alone[0])
    few = beside(values[:3], {"rival": np.zeros(3)}, better="lower", groups=None, seed=0)["rival"]
    assert few["difference"] == {"value": 0.0, "ci": None, "n": 3}


@pytest.mark.parametrize(
    ("better", "ci", "word"),
    [
        ("lower", (-2, -1), "better"),
        ("lower", (1, 2), "worse"),
        ("higher", (1, 2), "better"),
        ("higher", (-2, -1), "worse"),
        ("lower", (-1, 1), ""),
        ("higher", None, ""),
    ],
)
def test_words_follow_from_the_interval(better, ci, word):
    assert verdict(Measure("", "", 1.0, 9, better=better), {"value": 0.5, "ci": ci}) == word


def test_the_finding_says_better_worse_and_not_distinguishable():
    originals = scene()
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.02, originals.shape).astype(np.float32)
    found = metrics.evaluate_pairs(
        originals,
        originals + noise,
        NM,
        baselines={
            "worse one": originals + 3 * noise,
            "better one": originals + noise / 3,
            "like one": originals - noise,
        },
    )
    said = [sentence for sentence in found.findings if sentence.startswith("The model beside")]
    names = ["worse one", "better one", "like one"]
    assert [sentence.split(",")[0] for sentence in said] == [f"The model beside {name}" for name in names]
    assert "RMSE better by 0.0" in said[0]
    assert "RMSE worse by 0.0" in said[1]
    assert "RMSE not distinguishable" in said[2]
    few = metrics.evaluate_pairs(originals[:3], originals[:3] + noise[:3], NM, baselines={"rival": originals[:3]})
    assert "too few independent cubes" in few.findings[-1]


def test_cubes_of_the_training_split_are_named_first():
    originals = scene()
    assert metrics.evaluate_pairs(originals, originals, NM, trained_on=8).findings[0].startswith("All 8 cubes were in")
    assert metrics.evaluate_pairs(originals, originals, NM, trained_on=3).findings[0].startswith("3 of the 8 cubes")
    assert not any("training split" in text for text in metrics.evaluate_pairs(originals, originals, NM).findings)


def test_the_report_has_the_baselines_in_every_form(tmp_path):
    originals = scene()
    made = originals + np.float32(0.01)
    rivals = {"linear regression": originals + np.float32(0.03), "<b>other</b>": originals}
    found = metrics.evaluate_pairs(originals, made, NM, baselines=rivals, notes=["how they came about"])
    paths = metrics.write_report(found, tmp_path)
    told = json.loads(paths["json"].read_text("utf-8"))
    figures = told["metrics"]["rmse"]["baselines"]["linear regression"]
    assert figures["value"] == pytest.approx(0.03, rel=1e-3)
    assert figures["difference"]["value"] == pytest.approx(-0.02, rel=1e-3)
    assert "how they came about" in told["notes"]
    with open(paths["csv"], newline="") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    assert float(rows["rmse"]["linear regression"]) == pytest.approx(0.03, rel=1e-3)
    assert float(rows["rmse"]["difference to linear regression ci_high"]) < 0
    assert rows["total_variation_ratio"]["difference to linear regression"] == ""
    with open(tmp_path / "cubes.csv", newline="") as file:
        assert float(next(csv.DictReader(file))["linear regression rmse"]) == pytest.approx(0.03, rel=1e-3)
    page = paths["html"].read_text("utf-8")
    assert "Model − linear regression" in page
    assert "<b>other" not in page


def test_a_baseline_without_a_value_is_null_in_the_report(tmp_path):
    originals = scene()
    found = metrics.evaluate_pairs(originals, originals, NM, baselines={"rival": np.full_like(originals, np.nan)})
    figures = found.to_json()["metrics"]["rmse"]["baselines"]["rival"]
    assert figures == {"value": None, "ci": None, "difference": {"value": None, "ci": None, "n": 0}}
    nothing = metrics.evaluate_pairs(originals, np.full_like(originals, np.nan), NM, baselines={"rival": originals})
    metrics.write_report(nothing, tmp_path)


def test_a_baseline_of_other_cubes_is_refused():
    with pytest.raises(InputError, match="rival"):
        metrics.evaluate_pairs(scene(), scene(), NM, baselines={"rival": scene(5)})
