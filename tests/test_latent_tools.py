"""Noise that is shortened, walked along or mixed: each cube says what it was made of."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="sampling needs the extra [train]")

import shown_models  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from test_sampling import tiny  # noqa: E402

from napari_hsisynth.cli import main  # noqa: E402
from napari_hsisynth.errors import InputError  # noqa: E402
from napari_hsisynth.jobs import list_runs  # noqa: E402
from napari_hsisynth.sampling import sample  # noqa: E402
from napari_hsisynth.study import read_crop, read_crops_index  # noqa: E402
from napari_hsisynth.training.generator import open_generator  # noqa: E402
from napari_hsisynth.training.latents import spherical  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def families():
    with shown_models.known():
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory, families):
    study = tiny.put_study(tmp_path_factory.mktemp("latents") / "study")
    found = {name: shown_models.run_of(study, name) for name in ("told-masks", "told-rgb", "vae")}
    tiny_flow = "image_size=16 width=4 levels=2 batch_size=4 max_images=8 sampler_steps=2 conditional=true device=cpu"
    sets = [word for setting in tiny_flow.split() for word in ("--set", setting)]
    assert main(["train", str(study.root), "--model", "flow", *sets]) == 0
    return found | {"flow": next(run for run in list_runs(study.root) if "-flow-" in run.id)}


@pytest.fixture
def draw(runs, tmp_path):
    """Cubes of the family that says what its noise was: crops, and numbers 0 (coarse) and 1 (fine) of each."""

    def drawn(**wishes):
        folder = sample(runs["told-masks"], out=tmp_path / str(sorted(wishes.items())), **wishes)
        crops = [read_crop(folder, record) for record in read_crops_index(folder)]
        return crops, np.array([crop.cube.data[2:4, 0, 0] for crop in crops])

    return drawn


def noise(runs, seed, count):
    generator = open_generator(runs["told-masks"].path, device="cpu")
    return torch.stack([generator.noise(generator.seed_of(seed, number)) for number in range(count)]).numpy()


def test_truncation_shortens_the_noise(runs, draw):
    crops, numbers = draw(n=4, seed=5, truncation=0.25)
    np.testing.assert_array_equal(numbers, np.float32(0.25) * noise(runs, 5, 4)[:, :2])
    assert all(crop.cube.provenance["truncation"] == 0.25 for crop in crops)
    assert "-s5-t0p25-" in crops[0].record.crop_id


def test_walks_begin_at_each_seed_and_show_one_thing_on_the_way(runs, draw):
    crops, numbers = draw(n=9, seed=5, interpolate=4)
    plain, _ = draw(n=3, seed=5)
    ends = noise(runs, 5, 4)
    np.testing.assert_array_equal(numbers[::4], ends[:3, :2])
    halfway = spherical(*(torch.from_numpy(one) for one in ends[:2]), 0.5).numpy()
    np.testing.assert_array_equal(numbers[2], halfway[:2])
    for number, crop in enumerate(crops):
        assert crop.record.condition == plain[number // 4].record.condition
        assert crop.record.seed == plain[number // 4].record.seed
        assert crop.cube.provenance["interpolation"]["part"] == number % 4 / 4
    assert crops[3].cube.provenance["interpolation"]["toward_seed"] == crops[4].record.seed
    assert len(draw(n=3, interpolate=4)[0]) == 3


def test_mixing_takes_coarse_noise_of_one_seed_and_fine_noise_of_another(runs, draw):
    crops, numbers = draw(n=3, seed=5, mix=7, truncation=0.5)
    np.testing.assert_array_equal(numbers[:, 0], np.float32(0.5) * noise(runs, 5, 3)[:, 0])
    np.testing.assert_array_equal(numbers[:, 1], np.float32(0.5) * noise(runs, 7, 3)[:, 1])
    generator = open_generator(runs["told-masks"].path, device="cpu")
    assert [crop.cube.provenance["fine_seed"] for crop in crops] == [generator.seed_of(7, i) for i in range(3)]
    same, unmixed = draw(n=3, seed=5, mix=5)[1], draw(n=3, seed=5)[1]
    np.testing.assert_array_equal(same, unmixed)


def test_cubes_made_otherwise_lie_beside_each_other(runs, tmp_path):
    for wishes in ({}, {"truncation": 0.5}, {"truncation": 0.7}, {"interpolate": 2}, {"interpolate": 3}, {"mix": 1}):
        sample(runs["told-masks"], n=2, out=tmp_path, **wishes)
    assert len(read_crops_index(tmp_path)) == 12


def test_a_vae_can_be_truncated(runs, tmp_path):
    generator = open_generator(runs["vae"].path, device="cpu")
    folder = sample(runs["vae"], n=1, truncation=0.5, out=tmp_path, device="cpu")
    (record,) = read_crops_index(folder)
    half = 0.5 * generator.noise(generator.seed_of(0, 0))[None]
    np.testing.assert_array_equal(read_crop(folder, record).cube.data, generator.from_noise(half)[0])


def test_a_flow_is_drawn_from_with_other_settings_than_those_of_its_training(runs):
    plain, otherwise = (
        sample(runs["flow"], n=2, device="cpu", settings=settings)
        for settings in ({"guidance": "1.0", "sampler_steps": 2}, {"sampler_steps": "7", "guidance": "2.5"})
    )
    assert plain.name == runs["flow"].id  # those of the training are nothing else
    assert otherwise.name == f"{runs['flow'].id}-guidance2p5-samplersteps7"
    before, after = ([read_crop(place, one) for one in read_crops_index(place)] for place in (plain, otherwise))
    assert "drawn_with" not in before[0].cube.provenance
    assert after[0].cube.provenance["drawn_with"] == {"guidance": 2.5, "sampler_steps": 7}
    assert "-guidance2p5-samplersteps7-" in after[0].record.crop_id

    generator = open_generator(runs["flow"].path, device="cpu", settings={"guidance": 2.5, "sampler_steps": 7})
    seeds = [crop.record.seed for crop in after]
    assert seeds == [crop.record.seed for crop in before]
    made = generator.sample(seeds, [crop.record.diagnosis.value for crop in after])
    np.testing.assert_array_equal(made, [crop.cube.data for crop in after])
    assert np.abs(made - [crop.cube.data for crop in before]).max() > 1e-3


@pytest.mark.parametrize(
    ("model", "words", "said"),
    [
        ("vae", ["--mix", "1"], "vae has no coarse and fine layers to mix"),
        ("told-rgb", ["--truncation", "0.5"], "told-rgb makes cubes of no noise"),
        ("told-rgb", ["--interpolate", "4"], "told-rgb makes cubes of no noise"),
        ("vae", ["--truncation", "0"], "use more than 0, and 1 at most"),
        ("vae", ["--truncation", "1.5"], "use more than 0, and 1 at most"),
        ("vae", ["--truncation", "nan"], "use more than 0, and 1 at most"),
        ("vae", ["--interpolate", "1"], "use 2 or more"),
        ("told-masks", ["--interpolate", "4", "--mix", "1"], "either mixed or walked along"),
        ("vae", ["--set", "guidance=2"], "a trained vae is not drawn from with another 'guidance'; leave it out"),
        ("flow", ["--set", "width=8"], "another 'width'; use: guidance, sampler, sampler_steps"),
        ("flow", ["--set", "guidance=-1"], "guidance: '-1' is not allowed; use a number from 0 to 20"),
        ("flow", ["--set", "sampler=rk4"], "use one of: euler, heun"),
    ],
)
def test_what_a_family_cannot_do_is_one_line(runs, tmp_path, capsys, model, words, said):
    assert main(["sample", str(runs[model].path), *words, "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(error) == 1
    assert said in error[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.integers(2, 200))
def test_the_way_is_on_the_arc_between_both(seed, part, length):
    a, b = torch.randn(2, length, generator=torch.Generator().manual_seed(seed)).double()
    a, b = a / a.norm(), b / b.norm()
    angle = math.acos(float((a @ b).clamp(-1, 1)))
    between = spherical(a, b, part)
    assert float(between.norm()) == pytest.approx(1, abs=1e-5)
    assert float(between @ a) == pytest.approx(math.cos(part * angle), abs=1e-5)
    assert float(between @ b) == pytest.approx(math.cos((1 - part) * angle), abs=1e-5)


def test_both_ends_are_met_to_the_bit_and_parallel_noises_are_no_trouble():
    a, b = torch.randn(2, 64)
    assert torch.equal(spherical(a, b, 0.0), a)
    assert torch.equal(spherical(a, b, 1.0), b)
    torch.testing.assert_close(spherical(a, 2 * a, 0.5), 1.5 * a)
    assert torch.equal(spherical(torch.zeros(3), torch.ones(3), 0.5), torch.full((3,), 0.5))


def test_bad_wishes_in_python(runs, tmp_path):
    with pytest.raises(InputError, match="truncation"):
        sample(runs["vae"], n=1, truncation=-1.0, out=tmp_path)
