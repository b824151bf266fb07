"""``napari-hsisynth bench phantoms`` as a user runs it, with few phantoms."""

from __future__ import annotations

import json

from napari_hsisynth import cli
from napari_hsisynth.bench.phantoms import PhantomReport


def test_the_report_is_json_and_text(capsys):
    assert cli.main(["bench", "phantoms", "--size", "small", "--json"]) == cli.DONE
    found = json.loads(capsys.readouterr().out)
    assert found["bench"] == "phantoms"
    assert found["machine"]["cpu"]
    assert set(found["quality"]["auc"]) == {"ideal", "hsidermoscopy"}
    assert all(rate > 0 for rate in found["speed"]["cubes_per_cpu_s"].values())
    text = PhantomReport(found["machine"], found["quality"], found["speed"]).text()
    assert text.count("AUC") == 2
    assert found["speed"]["baseline"] in text


def test_what_is_off_is_marked():
    row = {"class": "melanoma", "wavelength_nm": 520.0, "off": 0.5, "within": True}
    quality = {
        "auc": {"ideal": 0.8, "hsidermoscopy": 0.95},
        "auc_wanted": [0.77, 0.83],
        "means": [row, {**row, "wavelength_nm": 531.0, "off": -1.25, "within": False}],
        "shares": {"hair": 0.25},
    }
    speed = {"cubes_per_cpu_s": {"ideal": 10.0, "baseline": 100.0}, "times_baseline": {"ideal": 10.0}, "baseline": "x"}
    machine = {"cpu": "c", "cores": 1, "threads": 1, "memory_gb": 1.0, "load_average": 0, "system": "s", "python": "3"}
    lines = PhantomReport({**machine, "versions": {}}, quality, speed).text().splitlines()
    assert any("ideal: AUC 0.800  ✔" in line for line in lines)
    assert any("hsidermoscopy: AUC 0.950  ✖ missed: 0.77-0.83" in line for line in lines)
    assert any("1 of 2 bands  ✖ missed" in line and "melanoma at 531 nm, -1.25 std" in line for line in lines)
    assert lines[-1].strip() == "beside 100: x"
