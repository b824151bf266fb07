"""Evaluations of whole sets and pairs, from folders to the report."""

from __future__ import annotations

import csv
import html
import json
import re
from pathlib import Path

import numpy as np
import pytest

from napari_hsisynth import cli, metrics
from napari_hsisynth.cube import Cube
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, list_runs, new_run
from napari_hsisynth.metrics.sizes import fit, fit_mask
from napari_hsisynth.study import Crop, CropRecord, Study, make_crops, write_crop, write_crops_index

NM = np.linspace(465, 630, 6)
SKIN, LESION = np.linspace(0.3, 0.8, 6), np.linspace(0.05, 0.3, 6)
RUN = "20261123-101500-vae-melanoma-3fa2"


def lesion_cube(rng, height, width, *, turn=0.0, name="c"):
    """A dark disc on skin; `turn` tilts the lesion's spectrum."""
    y, x = np.mgrid[:height, :width]
    radius = 0.3 * min(height, width)
    mask = (y - height / 2) ** 2 + (x - width / 2) ** 2 < radius**2
    lesion = LESION * (1 + turn * np.linspace(-1, 1, 6))
    data = np.where(mask, lesion[:, None, None], SKIN[:, None, None]) * rng.uniform(0.85, 1.15)
    return Cube(data + 0.01 * rng.normal(size=data.shape), NM, name=name), mask


def write_folder(folder, cubes, *, run="", diagnosis="melanoma", mask_source="annotation"):
    records = []
    for k, (cube, mask) in enumerate(cubes):
        name = f"{'syn' if run else 'real'}_{k:03d}"
        record = CropRecord(
            name, name, 0 if run else 1, diagnosis, "", 0, 0, *cube.shape_yx, "", f"{name}.npz", run,
            "last" if run else "", k if run else None, mask_source,
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        write_crop(folder, Crop(cube, mask & (mask_source != "none"), record))
        records.append(record)
    write_crops_index(folder, records)
    return folder


def real_folder(folder, n=12, seed=0, **more):
    rng = np.random.default_rng(seed)
    return write_folder(folder, [lesion_cube(rng, *rng.integers(40, 70, 2)) for _ in range(n)], **more)


def synthetic_folder(folder, n=10, *, turn=0.0, size=32, seed=1, mask_source="none", **more):
    rng = np.random.default_rng(seed)
    cubes = [lesion_cube(rng, size, size, turn=turn) for _ in range(n)]
    return write_folder(folder, cubes, run=RUN, mask_source=mask_source, **more)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Twelve melanomas and six nevi with masks, cropped, and samples of a run that was trained on the melanomas."""
    rng = np.random.default_rng(0)
    made = Study.create(tmp_path_factory.mktemp("study") / "mine", wavelengths_nm=NM)
    for k in range(18):
        cube, mask = lesion_cube(rng, 60, 72, name=f"cube_{k}")
        made.add_cube(cube, f"cube_{k:02d}", "melanoma" if k < 12 else "nevus", mask=mask)
    make_crops(made)
    synthetic_folder(made.synthetic_dir(RUN), turn=0.3)
    return made


def test_a_turned_lesion_spectrum_is_found_and_its_skin_is_not(tmp_path):
    found = metrics.evaluate(
        real_folder(tmp_path / "real", 16), synthetic_folder(tmp_path / "syn", 16, turn=0.3), split="all"
    )
    turned = LESION * (1 + 0.3 * np.linspace(-1, 1, 6))
    expected = float(metrics.spectrum_angle(LESION, turned))
    lesion, skin = found.metrics["class_mean_angle_lesion"], found.metrics["class_mean_angle_skin"]
    assert lesion.value == pytest.approx(expected, rel=0.15)  # automatic masks have soft edges
    assert lesion.more["value_at_m"] > lesion.more["floor_range"][1]
    assert lesion.more["p_value"] < 0.01
    assert skin.value < 0.2 * lesion.value
    assert (found.n_real, found.n_synthetic, lesion.more["m"]) == (16, 16, 8)
    degrees = f"{np.degrees(lesion.value):.1f}°"
    assert any(degrees in sentence and "lesion" in sentence for sentence in found.findings)
    assert "automatic" in found.compared["lesion and skin"]


def test_two_draws_of_one_kind_do_not_differ(tmp_path):
    rng = np.random.default_rng(5)
    real = write_folder(tmp_path / "real", [lesion_cube(rng, 32, 32) for _ in range(16)])
    found = metrics.evaluate(real, synthetic_folder(tmp_path / "syn", 16), split="all")
    for name in ("class_mean_angle_lesion", "class_mean_angle_skin", "sliced_wasserstein"):
        assert found.metrics[name].more["p_value"] > 0.01


def test_conditioning_masks_are_used_on_both_sides(tmp_path):
    real = real_folder(tmp_path / "real")
    found = metrics.evaluate(real, synthetic_folder(tmp_path / "syn", mask_source="conditioning"), split="all")
    assert "stored" in found.compared["lesion and skin"]
    lesion = next(s for s in found.spectra if s.region == "lesion" and s.synthetic)
    np.testing.assert_allclose(lesion.mean / lesion.mean.sum(), LESION / LESION.sum(), atol=0.01)


def test_blur_shows_as_less_total_variation(tmp_path):
    rng = np.random.default_rng(3)
    cubes = [lesion_cube(rng, 32, 32) for _ in range(24)]
    smooth = [(c.replace(data=(c.data + np.roll(c.data, 1, 1) + np.roll(c.data, 1, 2)) / 3), m) for c, m in cubes[12:]]
    found = metrics.evaluate(
        write_folder(tmp_path / "real", cubes[:12]),
        write_folder(tmp_path / "syn", smooth, run=RUN, mask_source="none"),
        split="all",
    )
    ratio = found.metrics["total_variation_ratio"]
    variation = [np.mean([metrics.total_variation(c.data) for c, _ in side]) for side in (cubes[:12], smooth)]
    assert ratio.value == pytest.approx(variation[1] / variation[0])
    assert ratio.value < 0.8
    assert "smoother" in found.findings[-1]


def test_from_a_study_the_runs_diagnosis_and_held_out_cubes_are_taken(study):
    found = metrics.evaluate(study.root, study.synthetic_dir(RUN))
    splits = study.splits()
    held_out = [r for r in study.crops() if r.diagnosis == "melanoma" and splits[r.cube_id] != "train"]
    assert found.n_real == len(held_out)
    assert {picture.title for picture in found.real_pictures} == {record.crop_id for record in held_out}
    train = metrics.evaluate(study.root, study.synthetic_dir(RUN), split="train")
    assert train.n_real + found.n_real == 12
    assert any("has seen them" in note for note in train.notes)
    everything = metrics.evaluate(study.root, study.synthetic_dir(RUN), split="all", diagnosis="nevus")
    assert everything.n_real == 6
    assert any("as asked" in note for note in everything.notes)


def test_the_diagnosis_is_that_of_the_training_run(study, tmp_path):
    """A generator trained on everything is compared with everything, whatever its cubes are labelled."""
    RunFolder(study.runs_dir / RUN).write_config({"model": "vae", "run": {"verb": "train", "diagnosis": ""}})
    try:
        assert metrics.evaluate(study.root, study.synthetic_dir(RUN), split="all").n_real == 18
    finally:
        (study.runs_dir / RUN / "config.yaml").unlink()


def test_without_a_study_nothing_counts_as_held_out_and_this_is_said(tmp_path):
    found = metrics.evaluate(real_folder(tmp_path / "real"), synthetic_folder(tmp_path / "syn"))
    assert found.n_real == 12
    assert any("held out" in note for note in found.notes)
    with pytest.raises(InputError, match="training data"):
        metrics.evaluate(tmp_path / "real", tmp_path / "syn", split="train")


def test_few_real_cubes_have_no_floor_and_the_report_says_why(tmp_path):
    found = metrics.evaluate(real_folder(tmp_path / "real", 3), synthetic_folder(tmp_path / "syn"), split="all")
    measured = found.to_json()["metrics"]["sliced_wasserstein"]
    assert measured["value"] > 0
    assert measured["floor"] is None
    assert measured["ci"] is None
    assert "3 real cubes" in measured["note"]
    page = metrics.write_report(found, tmp_path / "report")["html"].read_text("utf-8")
    assert "too few for a floor" in page


def test_other_bands_and_other_wavelengths_are_refused(tmp_path):
    real = real_folder(tmp_path / "real", 4)
    rng = np.random.default_rng(0)
    cube, mask = lesion_cube(rng, 32, 32)
    fewer = Cube(cube.data[:4], NM[:4])
    shifted = cube.replace(wavelengths_nm=NM + 5)
    for name, other, what in (("few", fewer, "4 bands"), ("shifted", shifted, "470-635 nm")):
        folder = write_folder(tmp_path / name, [(other, mask)], run=RUN, mask_source="none")
        with pytest.raises(InputError, match=what):
            metrics.evaluate(real, folder, split="all")


def test_invalid_pixels_are_counted_and_spoil_nothing(tmp_path):
    rng = np.random.default_rng(0)
    cubes = [lesion_cube(rng, 32, 32) for _ in range(6)]
    cubes[0][0].data[:, :3, :3] = np.nan
    cubes[1] = (cubes[1][0].replace(data=np.full_like(cubes[1][0].data, np.nan)), cubes[1][1])
    found = metrics.evaluate(write_folder(tmp_path / "real", cubes), synthetic_folder(tmp_path / "syn", 6), split="all")
    assert any("1033 pixels in 2 real cubes" in note for note in found.notes)
    measured = found.to_json()["metrics"]
    assert measured["class_mean_angle"]["n"] == 5
    assert measured["total_variation_ratio"]["n"] == 4
    assert all(figure["value"] is not None for figure in measured.values())


def test_real_crops_are_brought_to_size_as_training_does_it():
    torch = pytest.importorskip("torch")
    from napari_hsisynth.training.data import resize

    rng = np.random.default_rng(0)
    for shape in ((40, 37), (90, 121), (63, 64), (17, 200), (128, 65)):
        data = rng.random((3, *shape)).astype(np.float32)
        np.testing.assert_allclose(fit(data, (64, 64)), resize(torch.from_numpy(data), 64).numpy(), atol=1e-6)


def test_invalid_pixels_do_not_spread_when_shrunk():
    data = np.ones((2, 40, 40), np.float32)
    data[0, 10, 10] = np.nan
    small = fit(data, (20, 20))
    np.testing.assert_allclose(small, 1)
    data[0, 8:14, 8:14] = np.inf
    assert np.isnan(fit(data, (20, 20))[0]).sum() == 9
    assert fit_mask(np.ones((40, 60), bool), (20, 20)).all()


# --- the report


def test_the_json_is_what_scripts_rely_on(study):
    found = metrics.evaluate(study.root, study.synthetic_dir(RUN)).to_json()
    json.dumps(found, allow_nan=False)
    assert found["n_real"] == 4
    assert found["n_synthetic"] == 10
    for figure in found["metrics"].values():
        assert {"value", "ci", "floor", "n", "m", "value_at_m"} <= set(figure)
        assert isinstance(figure["value"], float)
        assert len(figure["ci"]) == 2
        assert isinstance(figure["n"], int)


def test_the_page_needs_no_other_file_and_names_what_it_shows(study, tmp_path):
    found = metrics.evaluate(study.root, study.synthetic_dir(RUN))
    page = metrics.write_report(found, tmp_path / "report")["html"].read_text("utf-8")
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) >= 4 + 10 + 2
    assert all(source.startswith("data:image/") for source in sources)
    assert not re.search(r'href="http|url\(|<script', page)
    images = re.findall(r"<img [^>]*>", page)
    assert all(re.search(r'alt="[^"]{10,}"', image) for image in images)
    for sentence in found.findings:
        assert html.escape(sentence, quote=False) in html.unescape(page).replace(
            "&", "&amp;"
        ) or sentence in html.unescape(page)
    assert "mine/crops" in page
    assert str(study.root) not in page  # where it lies on this machine is nobody's business
    assert "PHANTOM" not in page


def test_phantoms_are_labelled(tmp_path):
    rng = np.random.default_rng(0)
    cubes = [lesion_cube(rng, 40, 40) for _ in range(4)]
    phantoms = [(cube.replace(provenance={"phantom": True}), mask) for cube, mask in cubes]
    found = metrics.evaluate(write_folder(tmp_path / "real", phantoms), synthetic_folder(tmp_path / "syn"), split="all")
    assert found.phantom
    assert "PHANTOM" in metrics.write_report(found, tmp_path / "r")["html"].read_text("utf-8")


# --- the verb


def test_the_verb_writes_a_run_with_events_and_the_report(study, capsys):
    assert cli.main(["evaluate", str(study.root), str(study.synthetic_dir(RUN)), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    page = Path(printed["report"])
    run = RunFolder(page.parent.parent)
    assert run in list_runs(study.root)
    assert re.fullmatch(r"\d{8}-\d{6}-evaluate-vae-melanoma-3fa2-[0-9a-f]{4}", run.id)
    state = run.state()
    assert state.status == "done"
    assert state.result["report"] == "report/report.html"
    assert state.result["figures"]["sliced_wasserstein"] == printed["metrics"]["sliced_wasserstein"]["value"]
    kinds = [event.kind for event in run.events()]
    assert kinds[0] == "started"
    assert "progress" in kinds
    assert kinds[-1] == "done"
    assert printed["findings"]
    about = run.config["run"]
    assert (about["real"], about["synthetic"]) == ("crops", f"synthetic/{RUN}")
    with open(page.parent / "metrics.csv", newline="") as file:
        assert [row["metric"] for row in csv.DictReader(file)] == list(printed["metrics"])


def test_the_verb_uses_the_folder_that_a_dock_made(study, capsys):
    run = new_run(study.root, "evaluate-mine")
    words = ["evaluate", str(study.root), str(study.synthetic_dir(RUN)), "--run", str(run.path)]
    assert cli.main([*words, "--split", "all"]) == 0
    assert (run.report_dir / "report.html").is_file()
    assert "report: " in capsys.readouterr().out


def test_a_stop_is_obeyed_and_leaves_no_report(study, capsys):
    run = new_run(study.root, "evaluate-stopped")
    run.request_stop()
    assert cli.main(["evaluate", str(study.root), str(study.synthetic_dir(RUN)), "--run", str(run.path)]) == 0
    assert run.state().status == "stopped"
    assert not (run.report_dir / "report.html").exists()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ([], "two folders"),
        (["STUDY"], "two folders"),
        (["STUDY", "STUDY/nothing"], "no such folder"),
        (["STUDY", "SYNTHETIC", "--diagnosis", "freckle"], "unknown diagnosis"),
        (["STUDY", "SYNTHETIC", "--diagnosis", "other"], "no real cube of other"),
        (["--reconstruct", "STUDY"], "not a run folder"),
        (["STUDY", "--reconstruct", "STUDY"], "REAL"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_run_behind(words, what, study, capsys):
    before = list_runs(study.root)
    words = [w.replace("SYNTHETIC", str(study.synthetic_dir(RUN))).replace("STUDY", str(study.root)) for w in words]
    assert cli.main(["evaluate", *words]) == cli.BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert what in captured.err
    assert list_runs(study.root) == before


def test_bad_input_of_a_dock_ends_its_run(study, tmp_path, capsys):
    run = new_run(study.root, "evaluate-bad")
    assert cli.main(["evaluate", str(study.root), str(tmp_path / "none"), "--run", str(run.path)]) == cli.BAD_INPUT
    assert run.state().status == "failed"
    assert "no such folder" in run.state().reason


def test_outside_a_study_the_report_goes_where_it_is_told(tmp_path, capsys):
    real, synthetic = real_folder(tmp_path / "real", 4), synthetic_folder(tmp_path / "syn", 4)
    assert cli.main(["evaluate", str(real), str(synthetic)]) == cli.BAD_INPUT
    assert "--out" in capsys.readouterr().err
    (tmp_path / "file").write_text("in the way")
    assert cli.main(["evaluate", str(real), str(synthetic), "--out", str(tmp_path / "file")]) == cli.BAD_INPUT
    assert "in the way" in capsys.readouterr().err
    assert cli.main(["evaluate", str(real), str(synthetic), "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"metrics.json", "metrics.csv", "report.html"}
