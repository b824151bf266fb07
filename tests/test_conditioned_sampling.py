"""Conditioned models are told what they should be, and their cubes say so: families that draw what they are told."""

import hashlib
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="sampling needs the extra [train]")

import shown_models
from PIL import Image
from test_sampling import cubes, tiny
from test_sampling_shards import shared_by_two

from napari_hsisynth.cli import main
from napari_hsisynth.errors import InputError
from napari_hsisynth.jobs import RunFolder, new_run
from napari_hsisynth.results.data_set import _samples
from napari_hsisynth.results.measures import Cubes
from napari_hsisynth.sampling import sample
from napari_hsisynth.study import Study, read_crop, read_crops_index
from napari_hsisynth.study.split_file import write_split
from napari_hsisynth.training.conditioning import training_condition
from napari_hsisynth.training.data import load_images
from napari_hsisynth.training.generator import open_generator

BOTH = ("melanoma", "nevus")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return tiny.put_study(tmp_path_factory.mktemp("conditioned") / "study")


@pytest.fixture(scope="module", autouse=True)
def families():
    with shown_models.known():
        yield


@pytest.fixture(scope="module")
def runs(study, families):
    return {
        "masks": shown_models.run_of(study, "told-masks"),
        "told apart": shown_models.run_of(study, "told-masks", classes=BOTH),
        "nevus": shown_models.run_of(study, "told-masks", diagnosis="nevus"),
        "rgb": shown_models.run_of(study, "told-rgb"),
        "both": shown_models.run_of(study, "told-both"),
        "vae": shown_models.run_of(study, "vae"),
    }


@pytest.fixture(scope="module")
def as_trained(study):
    """Images and masks of the training split as training has them, by crop."""
    images = load_images(study, {"train"}, image_size=16)
    return {
        record.crop_id: SimpleNamespace(image=image, mask=mask, diagnosis=record.diagnosis)
        for record, image, mask in zip(images.records, images.images, images.masks, strict=True)
    }


@pytest.fixture
def told():
    """Collects warnings."""
    return []


def crops(folder):
    return [read_crop(folder, record) for record in read_crops_index(folder)]


def put_masks(folder, *offsets):
    """Squares of 8 px in pictures of 32 x 48 px, named by their place in the central square of 16 px."""
    folder.mkdir(exist_ok=True)
    for number, (y, x) in enumerate(offsets):
        mask = np.zeros((32, 48), np.uint8)
        mask[2 * y : 2 * y + 8, 8 + 2 * x : 8 + 2 * x + 8] = 255
        Image.fromarray(mask).save(folder / f"{number}.png")
    return folder


def square(y, x):
    mask = np.zeros((16, 16), bool)
    mask[y : y + 4, x : x + 4] = True
    return mask


# --- the training split, by default


def test_masks_of_the_training_split_are_shown_in_an_order_of_the_seed(study, runs, as_trained, tmp_path):
    count = len(as_trained)
    made = crops(sample(runs["masks"], n=2 * count, seed=1, out=tmp_path / "1"))
    shown = [crop.record.condition for crop in made]
    assert set(shown[:count]) == set(shown[count:]) == set(as_trained), "each once before one is shown again"
    for crop in made:
        source = as_trained[crop.record.condition]
        np.testing.assert_array_equal(crop.cube.data[0], source.mask)
        np.testing.assert_array_equal(crop.mask, source.mask)
        assert (crop.record.mask_source, crop.record.diagnosis) == ("conditioning", source.diagnosis)
        file = next(record.file for record in study.crops() if record.crop_id == crop.record.condition)
        assert crop.cube.provenance["condition"] == {
            "told": ["masks"],
            "source": "crop",
            "name": crop.record.condition,
            "sha256": hashlib.sha256((study.crops_dir / file).read_bytes()).hexdigest(),
        }
    other = [
        record.condition for record in read_crops_index(sample(runs["masks"], n=count, seed=2, out=tmp_path / "2"))
    ]
    assert other != shown[:count]
    assert set(other) == set(as_trained)


def test_more_cubes_begin_with_the_same(runs, tmp_path):
    for name in ("masks", "told apart", "rgb"):
        few, many = (cubes(sample(runs[name], n=n, out=tmp_path / f"{name}{n}")) for n in (3, 19))
        assert list(many)[:3] == list(few)
        assert all(np.array_equal(many[one], data) for one, data in few.items())


def test_a_model_told_diagnoses_is_shown_crops_of_them(runs, as_trained, tmp_path):
    made = crops(sample(runs["told apart"], n=5, out=tmp_path / "in turn"))
    assert [crop.record.diagnosis.value for crop in made] == [*BOTH, *BOTH, BOTH[0]]
    made += crops(sample(runs["told apart"], n=3, diagnosis="nevus", out=tmp_path / "nevus"))
    for crop in made:
        assert as_trained[crop.record.condition].diagnosis == crop.record.diagnosis
        assert (crop.cube.data[1] == BOTH.index(crop.record.diagnosis)).all()


def test_a_model_that_is_not_told_diagnoses_can_still_be_shown_crops_of_one(runs, as_trained, tmp_path):
    for name, wish in (("masks", "melanoma"), ("nevus", None), ("nevus", "nevus")):
        records = read_crops_index(sample(runs[name], n=4, diagnosis=wish, out=tmp_path / f"{name}-{wish}"))
        assert {record.diagnosis for record in records} == {wish or "nevus"}
        assert {as_trained[record.condition].diagnosis for record in records} == {wish or "nevus"}
    with pytest.raises(InputError, match="cannot be asked for melanoma"):
        sample(runs["nevus"], n=1, diagnosis="melanoma", out=tmp_path / "none")


def test_renders_of_the_training_split_are_shown_with_their_masks(runs, as_trained, tmp_path):
    made = crops(sample(runs["rgb"], n=4, out=tmp_path))
    for crop in made:
        source = as_trained[crop.record.condition]
        seen = source.image[:3] * np.array([0.5, 1, 0.25], np.float32)[:, None, None]
        np.testing.assert_array_equal(crop.cube.data[:3], seen.clip(0, 1))
        np.testing.assert_array_equal(crop.mask, source.mask)
        assert crop.record.mask_source == "conditioning"


def test_a_family_that_needs_both_is_shown_both_of_one_crop(runs, as_trained, tmp_path):
    (crop,) = crops(sample(runs["both"], n=1, out=tmp_path))
    source = as_trained[crop.record.condition]
    np.testing.assert_array_equal(crop.cube.data[0], source.mask)
    np.testing.assert_array_equal(crop.cube.data[2], source.image[1].clip(0, 1))


def test_the_split_is_that_of_the_training(study, as_trained, tmp_path):
    run = shown_models.run_of(study, "told-masks")
    chosen = sorted(study.splits())[:2]
    write_split(run.path / "splits.csv", {cube: "train" if cube in chosen else "test" for cube in study.splits()}, 0)
    records = read_crops_index(sample(run, n=4, out=tmp_path))
    assert {record.condition for record in records} == {f"{cube}_1" for cube in chosen}


def test_figures_of_a_conditioned_model_are_of_training_crops_of_each_diagnosis(runs, as_trained):
    held_out = Cubes(np.zeros((6, 5, 16, 16), np.float32), np.array([*BOTH, *BOTH, *BOTH]), np.arange(6).astype(str))
    made, shown = _samples(SimpleNamespace(run=runs["masks"]), held_out, 0)
    assert shown == {"masks"}
    for image, diagnosis in zip(made.images, held_out.diagnoses, strict=True):
        assert any(np.array_equal(image[0], one.mask) for one in as_trained.values() if one.diagnosis == diagnosis)


# --- what is given


def test_given_masks_are_taken_in_turn_and_meet_all_diagnoses(runs, tmp_path):
    folder = put_masks(tmp_path / "masks", (0, 0), (3, 7))
    made = crops(sample(runs["told apart"], n=5, mask=folder, out=tmp_path / "out"))
    expected = [square(0, 0), square(3, 7)]
    for number, crop in enumerate(made):
        np.testing.assert_array_equal(crop.cube.data[0], expected[number % 2])
        assert (crop.record.condition, crop.record.mask_source) == (f"{number % 2}.png", "conditioning")
    met = {(crop.record.condition, crop.record.diagnosis.value) for crop in made[:4]}
    assert len(met) == 4
    assert read_crops_index(sample(runs["masks"], n=1, mask=folder, out=tmp_path / "one"))[0].diagnosis == "other"


def test_one_folder_holds_cubes_of_several_sets_and_the_same_call_does_nothing(runs, tmp_path):
    first, second = (put_masks(tmp_path / name, place) for name, place in (("a", (0, 0)), ("b", (9, 9))))
    for mask in (first, second, None):
        sample(runs["masks"], n=2, mask=mask, out=tmp_path / "out")
    assert len(read_crops_index(tmp_path / "out")) == 6
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.npz")}
    sample(runs["masks"], n=2, mask=first, out=tmp_path / "out")
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.npz")}
    put_masks(first, (5, 5))  # another mask under the same name
    sample(runs["masks"], n=2, mask=first, out=tmp_path / "out")
    assert len(read_crops_index(tmp_path / "out")) == 8


def test_a_crop_is_given_by_its_id_its_file_or_its_folder(study, runs, as_trained, tmp_path, told):
    record = next(record for record in study.crops() if record.crop_id in as_trained)
    for number, place in enumerate((record.crop_id, study.crops_dir / record.file)):
        (crop,) = crops(sample(runs["told apart"], n=1, mask=place, out=tmp_path / str(number), warn=told.append))
        np.testing.assert_array_equal(crop.cube.data[0], as_trained[record.crop_id].mask)
        assert (crop.record.condition, crop.record.diagnosis) == (record.crop_id, record.diagnosis)
    assert not told
    records = read_crops_index(sample(runs["masks"], n=16, mask=study.crops_dir, out=tmp_path, warn=told.append))
    assert [one.condition for one in records] == [one.crop_id for one in study.crops()]
    assert [message for message in told if "held out" in message]


def test_a_held_out_mask_of_the_study_is_told(study, runs, tmp_path, told):
    sides = study.splits()
    for side, warnings in (("train", 0), ("test", 1)):
        cube = next(name for name, one in sides.items() if one == side)
        (file,) = (study.root / "masks").glob(f"{cube}-*.png")
        sample(runs["masks"], n=1, mask=file, out=tmp_path / side, warn=told.append)
        assert len(told) == warnings
    assert "held out from this run" in told[0]


def test_cubes_of_given_masks_do_not_lie_among_plain_ones(study, tmp_path):
    run = shown_models.run_of(study, "told-masks")
    put_masks(tmp_path / "masks", (2, 2))
    plain, given = sample(run, n=2), sample(run, n=2, mask=tmp_path / "masks")
    assert plain == study.synthetic_dir(run.id)
    assert given == study.synthetic_dir(f"{run.id}-given")
    assert len(read_crops_index(plain)) == len(read_crops_index(given)) == 2
    assert sample(run, n=3, truncation=0.5) == study.synthetic_dir(f"{run.id}-t0p5")


def test_only_crops_that_the_run_has_seen_are_shown(study, as_trained):
    run = shown_models.run_of(study, "told-masks", train_crops=2, seed=1)
    seen = load_images(study, {"train"}, image_size=16).some(2, seed=1).records
    shown = {record.condition for record in read_crops_index(sample(run, n=6))}
    assert shown == {record.crop_id for record in seen}


def test_one_cube_of_every_photograph_that_can_be_read(runs, tmp_path, told):
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    colours = {"a.png": (255, 0, 51), "more/b.png": (0, 102, 0), "more/d.png": (255, 255, 255)}
    for name, colour in colours.items():
        Image.new("RGB", (20, 30), colour).save(photos / name)
    (photos / "c.jpg").write_bytes(b"\xff\xd8 not really")
    made = crops(sample(runs["rgb"], rgb=photos, diagnosis="melanoma", out=tmp_path / "out", warn=told.append))
    assert [crop.record.condition for crop in made] == list(colours)
    for crop, colour in zip(made, colours.values(), strict=True):
        np.testing.assert_allclose(crop.cube.data[:3, 3, 5], np.array(colour) / 255, rtol=1e-6)
        assert (crop.record.mask_source, crop.mask.any(), crop.record.diagnosis) == ("none", False, "melanoma")
    assert len(told) == 1
    assert "c.jpg" in told[0]
    sample(runs["rgb"], n=5, rgb=photos, out=tmp_path / "out", warn=told.append)
    assert "no noise" in told[-1]


@pytest.mark.parametrize(
    ("model", "words", "said"),
    [
        ("masks", ["--mask", "nothing"], "neither a file or folder nor a crop of the run's study"),
        ("masks", ["--mask", "~nobody-here.png"], "no such home folder is known"),
        ("rgb", ["--rgb", "x" * 5_000], "cannot be looked at"),
        ("masks", ["--mask", "empty.png"], "no lesion in the central square"),
        ("masks", ["--mask", "full.npy"], "lesion everywhere"),
        ("masks", ["--mask", "broken.png"], "broken.png: "),
        ("masks", ["--mask", "picture.jpg"], "masks end in .png"),
        ("masks", ["--mask", "bad"], "none of the 2 files can be used"),
        ("masks", ["--mask", "void"], "the folder holds no such files"),
        ("masks", ["--rgb", "picture.jpg"], "rgb: told-masks cannot be told it; it takes --mask"),
        ("rgb", ["--mask", "empty.png"], "mask: told-rgb cannot be told it; it takes --rgb"),
        ("rgb", ["--rgb", "broken.png"], "broken.png: "),
        ("rgb", ["--rgb", "bad"], "x.png: "),
        ("both", ["--mask", "empty.png"], "shown a mask together with its RGB image"),
        ("masks", ["--diagnosis", "solar lentigo"], "no training crop of solar_lentigo to show; "),
    ],
)
def test_what_cannot_be_shown_is_one_line(runs, tmp_path, monkeypatch, capsys, model, words, said):
    monkeypatch.chdir(tmp_path)
    Image.new("L", (20, 20)).save("empty.png")
    Image.new("RGB", (20, 20)).save("picture.jpg")
    np.save("full.npy", np.ones((20, 20), bool))
    for name in ("void", "bad"):
        (tmp_path / name).mkdir()
    for name in ("broken.png", "bad/x.png", "bad/y.npy"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    before = set(tmp_path.rglob("*"))
    assert main(["sample", str(runs[model].path), *words, "--n", "1", "--out", "out"]) == 2
    assert set(tmp_path.rglob("*")) == before
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(error) == 1
    assert said in error[0]


def test_a_model_that_is_shown_nothing_takes_no_flags(runs, tmp_path):
    with pytest.raises(InputError, match="mask: vae cannot be told it; it takes neither masks nor photographs"):
        sample(runs["vae"], n=1, mask="x.png", out=tmp_path)


# --- as a whole


def test_an_interrupted_call_is_finished_and_two_ranks_draw_what_one_does(runs, tmp_path):
    masks = put_masks(tmp_path / "masks", (0, 0), (3, 7), (9, 9))
    wishes = {"n": 40, "seed": 3, "mask": masks}
    whole = sample(runs["told apart"], out=tmp_path / "whole", device="cpu", **wishes)
    asked = iter([False, True])
    part = sample(runs["told apart"], out=tmp_path / "part", device="cpu", stop=lambda: next(asked), **wishes)
    damaged = part / read_crops_index(part)[2].file
    damaged.write_bytes(damaged.read_bytes()[:100])
    sample(runs["told apart"], out=part, device="cpu", **wishes)
    shared_by_two(runs["told apart"], tmp_path / "two", **wishes)
    assert len(read_crops_index(whole)) == 40
    for other in (part, tmp_path / "two"):
        assert read_crops_index(other) == read_crops_index(whole)
        for record in read_crops_index(whole):
            assert (other / record.file).read_bytes() == (whole / record.file).read_bytes()


def test_the_python_interface_says_what_it_needs(runs):
    generator = open_generator(runs["told apart"].path, device="cpu")
    assert generator.needs == {"masks"}
    seeds = [generator.seed_of(0, number) for number in range(20)]
    shown = training_condition(generator, 0, ["nevus"] * 20)
    made = generator.sample(seeds, ["nevus"] * 20, shown, truncation=0.5)
    np.testing.assert_array_equal(made[:, 0], shown["masks"])
    np.testing.assert_array_equal(made[7, 2, 0, 0], 0.5 * generator.noise(seeds[7])[0])
    for diagnoses, condition, said in (
        (["nevus"] * 20, None, "is told masks, not nothing"),
        (["nevus"] * 20, {"rgb": np.zeros((20, 3, 16, 16))}, "is told masks, not rgb"),
        (["nevus"] * 20, {"masks": shown["masks"][:3]}, r"of shape \(3, 16, 16\), not \(20, 16, 16\)"),
        (None, shown, "needs a diagnosis; of: melanoma, nevus"),
    ):
        with pytest.raises(InputError, match=said):
            generator.sample(seeds, diagnoses, condition)


def test_warnings_are_events_of_the_job(runs, study, tmp_path):
    masks = put_masks(tmp_path / "masks", (0, 0))
    (masks / "x.png").write_bytes(b"no picture")
    job = new_run(Study.open(study.root).root, "sample")
    words = ["sample", str(runs["masks"].path), "--mask", str(masks), "--n", "3", "--out", str(tmp_path / "out")]
    assert main([*words, "--run", str(job.path)]) == 0
    said = [event.fields["message"] for event in RunFolder(job.path).events() if event.kind == "warning"]
    assert len(said) == 1
    assert "x.png" in said[0]
    assert RunFolder(job.path).config["mask"] == str(masks)


@pytest.mark.slow
def test_two_processes_killed_and_called_again_draw_what_one_does(runs, study, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    masks = put_masks(tmp_path / "masks", (0, 0), (3, 7), (9, 9))
    wishes = {"n": 400, "seed": 3, "mask": masks}
    whole = sample(runs["told apart"], out=tmp_path / "whole", device="cpu", **wishes)
    words = [
        sys.executable,
        shown_models.__file__,
        "sample",
        str(runs["told apart"].path),
        "--out",
        str(tmp_path / "2"),
    ]
    words += [word for name, value in wishes.items() for word in (f"--{name}", str(value))]
    killed = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while killed.poll() is None and len(list((tmp_path / "2").glob("*.npz"))) < 20:
        time.sleep(0.005)
    killed.kill()
    killed.wait()
    command = [*words, "--devices", "2", "--device", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "2").iterdir()} >= {path.name for path in whole.iterdir()}
    for record in read_crops_index(whole):
        assert (tmp_path / "2" / record.file).read_bytes() == (whole / record.file).read_bytes()
