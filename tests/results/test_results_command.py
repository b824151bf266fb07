"""The command as a user runs it: tables for two studies, finished runs used again."""

from __future__ import annotations

import json
import shutil

import pytest

from napari_hsisynth import cli
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import list_runs
from napari_hsisynth.results.plan import plan
from napari_hsisynth.study import Study

SMALL = ["image_size=16", "batch_size=4", "latent_dim=4", "width=4", "device=cpu"]


def command(*words):
    """In this process, which has torch already; trainings are child processes in any case."""
    line = ["results", *map(str, words)]
    for change in SMALL:
        line += ["--set", change]
    return cli.main(line)


@pytest.fixture(scope="module")
def written(phantoms, tmp_path_factory):
    """The table of one study; then of this one and of a copy of it, with its run, that is not of phantoms."""
    folder = tmp_path_factory.mktemp("docs")
    options = ("--models", "vae", "--max-images", 24, "--out", folder / "results.md")
    assert command(phantoms.root, *options) == 0
    first = (folder / "results.md").read_text(encoding="utf-8")
    patients = tmp_path_factory.mktemp("moved") / "patients"
    shutil.copytree(phantoms.root, patients)
    settings = patients / "study.yaml"
    settings.write_text(settings.read_text("utf-8").replace("PHANTOM: simulated", "real images"), "utf-8")
    assert command(phantoms.root, patients, *options) == 0
    return folder, patients, first


def test_every_data_set_has_floor_trivial_generators_and_models(written):
    folder, *_ = written
    text = (folder / "results.md").read_text(encoding="utf-8")
    for heading in ("## phantoms", "PHANTOM: simulated", "## patients", "**real images**"):
        assert heading in text
    for row in ("| real, two halves |", "| mean + noise |", "| shifted copies |", "| vae |"):
        assert text.count(row) >= 4
    assert "results phantoms patients --models vae --max-images 24" in text
    assert str(folder.parent) not in text  # no place on this machine
    first, second = json.loads((folder / "results.json").read_text(encoding="utf-8"))["data_sets"]
    vae = first["generators"]["vae"]
    assert vae["images"] == 24
    assert vae["verdict"]
    assert vae["sliced_wasserstein_patches"]["m"] == first["m"] == first["n_held_out"] // 2
    assert second["generators"] == first["generators"]  # of the same cubes


def test_only_pictures_of_phantoms_stand_beside_the_table(written):
    folder, patients, _ = written
    assert [path.name for path in (folder / "pictures").iterdir()] == ["results_phantoms.png"]
    assert (patients / "results" / "samples.png").is_file()
    assert "pictures/results_phantoms.png" in (folder / "results.md").read_text(encoding="utf-8")


def test_finished_runs_are_used_again_and_give_the_same_table(written, phantoms):
    folder, patients, first = written
    assert len(list_runs(phantoms.root)) == len(list_runs(patients)) == 1
    section = first[first.index("## phantoms") :]
    assert section in (folder / "results.md").read_text(encoding="utf-8")


def test_bad_models_are_refused_before_anything_is_trained(phantoms, tmp_path, capsys):
    assert command(phantoms.root, "--models", "vae,magic", "--out", tmp_path / "r.md") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "magic" in said
    assert not list(tmp_path.iterdir())


def test_settings_of_one_model_stand_over_those_of_all():
    first, second = plan("vae:lr=1e-4,vae:lr=1e-2", max_images=100, changes=["lr=0.5", "seed=3"], seeds=1)
    assert (first.label, second.label) == ("vae lr=1e-4", "vae lr=1e-2")
    assert (first.config.lr, second.config.lr) == (1e-4, 1e-2)
    assert first.config.max_images == 100
    assert first.config.seed == 3
    assert first.config.conditional


def test_seeds_are_trainings_of_their_own():
    planned = plan("vae", max_images=8, changes=[], seeds=3)
    assert [one.config.seed for one in planned] == [0, 1, 2]
    assert len({one.label for one in planned}) == 3


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ("vae,vae", "twice"),
        ("vae:lr", "K=V"),
        ("vae:image_size=32,vae:image_size=64", "32 and 64 px"),
        ("", "not known"),
    ],
)
def test_what_cannot_be_planned_is_said(models, said):
    with pytest.raises(InputError, match=said):
        plan(models, max_images=None, changes=[], seeds=1)


def test_a_model_is_also_trained_from_the_weights_of_another_study(phantoms, written, tmp_path):
    _, patients, _ = written
    options = ("--models", "vae:train_crops=8", "--max-images", 24, "--pretrained", phantoms.root)
    assert command(patients, *options, "--out", tmp_path / "r.md") == 0
    text = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert text.count("| vae train_crops=8 |") == text.count("| vae train_crops=8, from phantoms |") == 4
    assert "--pretrained phantoms" in text
    assert str(phantoms.root) not in text
    assert len(list_runs(phantoms.root)) == 1, "the run on all phantoms is there already"
    begun = [run.config["run"]["init"] for run in list_runs(patients) if "init" in run.config["run"]]
    assert [one["run"] for one in begun] == [list_runs(phantoms.root)[0].id]


def test_what_no_study_could_train_is_said_before_anything_is_trained(phantoms, tmp_path, capsys, monkeypatch):
    other = Study.create(tmp_path / "other", wavelengths_nm=[500, 550, 600])
    monkeypatch.setattr("napari_hsisynth.results.command.results_of", lambda *_, **__: pytest.fail("it began"))
    bands = len(phantoms.wavelengths_nm)
    for words, said in (
        (("--models", "vae", "--pretrained", other.root), f"phantoms has {bands} bands, other 3"),
        (("--models", "shs-gan:photos=nowhere"), "no such folder of photographs"),
        (("--models", f"vae:spectral_basis=pca:basis_components={bands + 1}"), f"{bands} bands have no basis"),
    ):
        assert command(phantoms.root, *words, "--out", tmp_path / "r.md") == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "r.md").exists()


def test_files_are_asked_for_by_their_full_path(tmp_path):
    (one,) = plan("shs-gan:photos=mine:lr=1e-4:augment=false", max_images=8, changes=[], seeds=1)
    located = one.with_config(one.config.model_copy(update={"photos": str(tmp_path)}))
    assert f"photos={tmp_path}" in located.changes
    assert located.without("train_crops").config == located.config


def test_defaults_of_a_setting_come_back():
    (one,) = plan("vae:train_crops=8:lr=1e-4", max_images=100, changes=[], seeds=1)
    whole = one.without("train_crops")
    assert whole.label == "vae lr=1e-4"
    assert (whole.config.train_crops, whole.config.lr, whole.config.max_images) == (0, 1e-4, 100)
    assert not any(change.startswith("train_crops") for change in whole.changes)
