"""Beginning with the weights of another run: what is taken, what is not, and what is refused."""

import numpy as np
import pytest
import torch

from napari_hsisynth.cli import main
from napari_hsisynth.jobs import RunFolder, new_run
from napari_hsisynth.models.linear_base import LinearBase
from napari_hsisynth.study import Study
from napari_hsisynth.study.split_file import write_split
from napari_hsisynth.training import checkpoint as checkpoints
from napari_hsisynth.training.initial_weights import take_weights, warn_of_leak
from napari_hsisynth.training.recipes import recipe_for
from napari_hsisynth.training.run import resume, train


@pytest.fixture
def first(study, small):
    """A trained run of a VAE that tells two diagnoses apart."""
    run = new_run(study.root, "vae")
    train(study.root, small(conditional=True, max_images=16), diagnosis=None, run=run)
    return run


def kept(run, name="last"):
    return checkpoints.load(run.checkpoints_dir / f"{name}.pt")


def taken(recipe, run, classes, bands=5, shift_nm=0.0):
    content = (run.checkpoints_dir / "last.pt").read_bytes()
    return take_weights(recipe, run, content, classes, np.linspace(465, 630, bands) + shift_nm)


def flags(tiny, **changes):
    values = {**tiny.settings, "max_images": 8, **changes}
    return [word for name, value in values.items() for word in ("--set", f"{name}={value}")]


def test_a_run_begins_with_the_weights_it_is_given(study, first, tiny, capsys):
    # a step too short to change anything: what is kept at the end is what it began with
    words = [str(study.root), "--init", first.id, *flags(tiny, conditional="true", lr=1e-30)]
    assert main(["train", *words]) == 0
    run = RunFolder(capsys.readouterr().out.strip())
    for name, value in kept(first).recipe["network"].items():
        torch.testing.assert_close(kept(run).recipe["network"][name], value)
    facts = run.config["run"]["init"]
    assert (facts["run"], facts["checkpoint"]) == (first.id, "last@16")
    assert not [event for event in run.events() if event.kind == "warning" and "random" in event.fields["message"]]


def test_a_run_of_other_bands_is_refused_before_there_is_a_run(first, tiny, tmp_path, capsys):
    other = Study.create(tmp_path / "other", wavelengths_nm=[500, 550, 600])
    assert main(["train", str(other.root), "--init", str(first.path), *flags(tiny, conditional="true")]) == 2
    assert "its cubes have 5 bands, these 3" in capsys.readouterr().err
    assert not list(other.runs_dir.glob("*"))


def test_weights_of_diagnoses_are_taken_only_if_they_are_the_same_ones(first, small):
    state = kept(first).recipe
    for classes, expected in ((("melanoma", "nevus"), True), (("melanoma", "other"), False)):
        recipe = recipe_for("vae")(small(conditional=True), 5, 2)
        start = taken(recipe, first, classes)
        told = [name for name in state["network"] if "class" in name]
        assert told
        same = all(
            torch.equal(recipe.networks()["network"].state_dict()[name], state["network"][name]) for name in told
        )
        assert same is expected
        assert bool(start.warnings) is not expected
        others = [name for name in state["network"] if name not in told]
        assert all(torch.equal(recipe.networks()["network"].state_dict()[n], state["network"][n]) for n in others)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--init", "nowhere"], "no such run"),
        (["--init", "RUN", "--model", "dcgan"], "a run of vae has no weights for dcgan"),
        (["--init", "EMPTY"], "the run has no checkpoint yet"),
        (
            ["--init", "RUN", "--set", "spectral_basis=pca", "--set", "basis_components=3"],
            "trained with spectral_basis=none, this is to be with pca",
        ),
    ],
)
def test_what_cannot_be_begun_with_is_refused_before_a_run_is_made(study, first, tiny, capsys, words, said):
    empty = new_run(study.root, "vae")
    empty.write_config({"model": "vae", "run": {"verb": "train"}})
    before = set(study.runs_dir.iterdir())
    words = [{"RUN": first.id, "EMPTY": empty.id}.get(word, word) for word in words]
    assert main(["train", str(study.root), *words, *flags(tiny)]) == 2
    assert said in capsys.readouterr().err
    assert set(study.runs_dir.iterdir()) == before


def test_a_run_of_other_bands_or_another_network_is_refused(study, first, small):
    for config, bands, said in ((small(), 7, "5 bands, these 7"), (small(width=16), 5, "have the same name and shape")):
        recipe = recipe_for("vae")(config, bands)
        with pytest.raises(Exception, match=said):
            taken(recipe, first, (), bands)


def test_other_bands_and_cubes_that_are_held_out_now_are_told(study, first, small):
    recipe = recipe_for("vae")(small(conditional=True), 5, 2)
    assert "up to 7 nm" in taken(recipe, first, ("melanoma", "nevus"), shift_nm=7).warnings[0]
    assert not warn_of_leak(first, study)
    sides = dict(study.splits())
    moved = next(cube for cube, side in sides.items() if side == "train")
    write_split(first.path / "splits.csv", sides, 0)
    write_split(study.root / "splits.csv", sides | {moved: "test"}, 0)
    (said,) = warn_of_leak(first, Study.open(study.root))
    assert moved in said
    assert "held out now" in said

    later = new_run(study.root, "vae")  # what it began with has seen them all the same
    later.write_config({**first.config, "init": str(first.path)})
    write_split(later.path / "splits.csv", sides | {moved: "test"}, 0)
    assert warn_of_leak(later, Study.open(study.root)) == [said]
    first.write_config({**first.config, "init": str(later.path)})  # no run begins with itself, yet files may say so
    assert warn_of_leak(later, Study.open(study.root)) == [said]


def test_what_is_fitted_to_the_new_crops_stays(study, small):
    settings = {"model": "shs-gan", "critic_width": 4, "max_images": 8}
    run = new_run(study.root, "shs-gan")
    train(study.root, small(**settings), diagnosis=None, run=run)
    recipe = recipe_for("shs-gan")(small(**settings), 5)
    bases = [module for net in recipe.networks().values() for module in net.modules() if isinstance(module, LinearBase)]
    assert bases
    for base in bases:
        base.matrix.fill_(0.25)
    taken(recipe, run, ())
    assert all((base.matrix == 0.25).all() for base in bases)


def test_a_resumed_run_does_not_begin_again(study, first, small, monkeypatch):
    config = small(init=str(first.path), conditional=True)
    whole, parted = new_run(study.root, "vae"), new_run(study.root, "vae")
    train(study.root, config, diagnosis=None, run=whole)
    from napari_hsisynth.training import run as runs

    stops = iter([False] * 4 + [True])
    import contextlib

    @contextlib.contextmanager
    def soon(run):
        yield lambda: next(stops, False)

    with monkeypatch.context() as patched:
        patched.setattr(runs, "stop_requests", soon)
        assert train(study.root, config, diagnosis=None, run=parted)["status"] == "stopped"
    for file in first.checkpoints_dir.iterdir():
        file.unlink()  # it is not needed any more
    assert runs.resume(parted)["status"] == "done"
    for name, value in kept(whole).recipe["network"].items():
        assert torch.equal(kept(parted).recipe["network"][name], value), name


def test_a_run_that_went_back_to_its_beginning_is_not_prepared_again(study, first, small, monkeypatch):
    """Its checkpoint of 0 images has the other run's weights and basis; they must not be fitted anew under them."""
    config = small(init=str(first.path), conditional=True, on_divergence="roll_back", max_images=16)
    run = new_run(study.root, "vae")
    train(study.root, config, diagnosis=None, run=run)
    (run.checkpoints_dir / "good.pt").unlink(missing_ok=True)
    beginning = kept(run)
    beginning.images = beginning.steps = 0
    checkpoints.save(run.checkpoints_dir / "last.pt", beginning)
    run.append("stopped", images=0)
    for file in first.checkpoints_dir.iterdir():
        file.unlink()  # beginning with it again would fail
    prepared = []
    monkeypatch.setattr(recipe_for("vae"), "prepare", lambda *given: prepared.append(given) or [])
    assert resume(run)["images"] == 16
    assert not prepared
