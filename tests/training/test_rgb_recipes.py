"""SHS-GAN and CycleGAN in steps: what moves, what is kept, and what no switch may break."""

import copy
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from recipe_states import flat, same

from napari_hsisynth import Cube
from napari_hsisynth.composite import rgb_cie1931
from napari_hsisynth.errors import InputError
from napari_hsisynth.training.batch import Batch
from napari_hsisynth.training.condition import Condition
from napari_hsisynth.training.config import PRESETS, parse
from napari_hsisynth.training.image_pool import ImagePool
from napari_hsisynth.training.losses import least_squares_critic_loss, least_squares_generator_loss
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.recipes import recipe_for

BANDS = 5
NM = np.linspace(465, 630, BANDS)
NORMALISATION = Normalisation(np.linspace(0.3, 0.5, BANDS), np.linspace(0.05, 0.1, BANDS))
SMALL = {"image_size": 16, "latent_dim": 4, "width": 4, "critic_width": 4, "batch_size": 4, "device": "cpu"}
VARIANTS = {
    "shs-gan": {"model": "shs-gan", "n_critic": 2, "paired_weight": 0, "adversarial_weight": 1},
    "shs-gan with pairs": {
        "model": "shs-gan",
        "n_critic": 1,
        "paired_weight": 10,
        "base": "none",
        "fourier_arm": False,
    },
    "cyclegan": {"model": "cyclegan", "blocks": 1, "pool_size": 5},
    "cyclegan with pairs": {
        "model": "cyclegan",
        "blocks": 1,
        "pool_size": 0,
        "paired_weight": 10,
        "base": "none",
        "rgb_weight": 0,
    },
}


def one_process(autocast=nullcontext):
    """As much of Fabric as a recipe asks of a single process on the CPU."""
    return SimpleNamespace(device=torch.device("cpu"), autocast=autocast, world_size=1)


def spectra(count=400):
    """Normalised pixels between dark and bright, of two pigments."""
    mix = torch.rand(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pigments = torch.tensor([[1.0, 0.8, 0.5, 0.4, 0.3], [0.1, 0.2, 0.4, 0.6, 0.9]], dtype=torch.float64)
    values = 0.6 - 0.25 * mix @ pigments
    return ((values - torch.from_numpy(NORMALISATION.offset)) / torch.from_numpy(NORMALISATION.scale)).float()


def made(name, classes=1, fabric=None, prepared=True, **changes):
    torch.manual_seed(0)
    config = parse({**SMALL, **VARIANTS[name], **changes})
    recipe = recipe_for(config.model)(config, BANDS, classes)
    recipe.setup(fabric or one_process())
    if prepared:
        recipe.set_wavelengths(NM)
        recipe.prepare(spectra(), NORMALISATION)
    return recipe


def a_batch(count=4, classes=1, photos=False, seed=1):
    drawn = torch.Generator().manual_seed(seed)
    pixels = spectra()[torch.randint(400, (count, 8, 8), generator=drawn)]
    images = pixels.permute(0, 3, 1, 2).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    rgb = torch.rand(count, 3, 16, 16, generator=drawn) if photos else None
    return Batch(images, torch.zeros(count, 16, 16, dtype=bool), torch.arange(count) % classes, rgb=rgb)


@pytest.mark.parametrize("photos", [False, True])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_takes_steps_of_all_its_networks(name, photos):
    recipe = made(name, classes=2)
    fixed = flat(recipe.view.map.state_dict())
    before = {key: flat(network.state_dict()) for key, network in recipe.networks().items()}
    for number in range(2):
        scalars = recipe.step(a_batch(classes=2, photos=photos, seed=number))
    for key, network in recipe.networks().items():
        assert not same(dict(enumerate(before[key])), network.state_dict()), key
        assert all(weight.grad is None for weight in network.parameters()), key
    assert all(torch.isfinite(value) and not value.requires_grad for value in scalars.values())
    assert {"loss", "generator_loss", "real_score", "fake_score"} <= set(scalars)
    assert ("paired_error" in scalars) == bool(recipe.config.paired_weight)
    assert same(dict(enumerate(fixed)), recipe.view.map.state_dict())
    assert recipe.healthy()


@pytest.mark.parametrize("name", ["shs-gan", "cyclegan"])
def test_a_stored_state_goes_on_to_the_bit(name):
    whole, later = made(name, classes=2), made(name, classes=2, prepared=False, seed=7)
    for number in range(3):
        whole.step(a_batch(classes=2, photos=True, seed=number))
    later.load_state(copy.deepcopy(whole.state()))  # an optimiser goes on in the very tensors it is given
    for recipe in (whole, later):
        torch.manual_seed(5)
        for number in range(3, 6):
            scalars = recipe.step(a_batch(classes=2, photos=True, seed=number))
    assert same(whole.state(), later.state())
    assert scalars["loss"].isfinite()


@pytest.mark.parametrize("name", ["shs-gan", "cyclegan"])
def test_bfloat16_takes_a_step_and_makes_single_precision(name):
    recipe = made(name, fabric=one_process(lambda: torch.autocast("cpu", dtype=torch.bfloat16)))
    for number in range(2):
        scalars = recipe.step(a_batch(seed=number))
    assert all(torch.isfinite(value) for value in scalars.values())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        seen = recipe.view.map(a_batch().images)
    assert seen.dtype == torch.float32
    torch.testing.assert_close(seen, recipe.view.map(a_batch().images))
    assert recipe.reconstruct(a_batch().images, torch.zeros(4, dtype=torch.int64)).dtype == torch.float32


@pytest.mark.parametrize("name", ["shs-gan", "cyclegan"])
def test_a_new_model_with_a_base_is_linear_regression(name):
    recipe = made(name)
    images = a_batch().images
    seen = recipe.render(images).double().permute(0, 2, 3, 1).reshape(-1, 3).numpy()
    training = recipe.render(spectra()[:, :, None, None])[:, :, 0, 0].double().numpy()
    linear = [np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4) for x in (seen, training)]
    seen, training = (np.column_stack([x, np.ones(len(x))]) for x in linear)
    expected = seen @ np.linalg.lstsq(training, spectra().numpy(), rcond=None)[0]
    found = recipe.reconstruct(images, torch.zeros(4, dtype=torch.int64)).permute(0, 2, 3, 1).reshape(-1, BANDS)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_a_render_is_what_the_viewer_shows():
    recipe = made("shs-gan")
    values = NORMALISATION.decode(a_batch(1).images[0].numpy())
    shown = rgb_cie1931(Cube(values.astype(np.float32), NM), white=float(recipe.view.map.white))
    np.testing.assert_allclose(recipe.render(a_batch(1).images)[0].permute(1, 2, 0), shown, atol=1e-4)


def test_white_is_fixed_by_the_training_pixels_and_clips_few_of_them():
    recipe = made("shs-gan")
    linear = recipe.view.map.linear(spectra()[:, :, None, None])[:, :, 0, 0]
    assert 0 < (linear.amax(dim=1) > 1).float().mean() <= 0.005
    before = recipe.render(a_batch().images)
    brighter = torch.cat([a_batch().images, a_batch().images + 3])
    torch.testing.assert_close(recipe.render(brighter)[:4], before)


def test_a_cameras_curves_take_the_place_of_the_observer(tmp_path):
    file = tmp_path / "camera.csv"
    file.write_text("wavelength_nm,r,g,b\n400,0,0,1\n500,0,0,1\n501,0,1,0\n600,0,1,0\n601,1,0,0\n700,1,0,0\n")
    recipe = made("shs-gan", camera=str(file))
    image = torch.zeros(1, BANDS, 1, 1)
    image[:, -1] = 2.0  # only the band at 630 nm
    plain, redder = recipe.view.map.linear(torch.zeros(1, BANDS, 1, 1))[0], recipe.view.map.linear(image)[0]
    assert redder[0] > plain[0]
    torch.testing.assert_close(redder[1:], plain[1:])
    file.unlink()  # it is part of what is kept
    later = made("shs-gan", camera=str(file), prepared=False)
    later.load_state(recipe.state())
    assert later.render(a_batch().images).equal(recipe.render(a_batch().images))


@pytest.mark.parametrize("name", ["shs-gan", "cyclegan"])
def test_samples_show_the_given_images_and_the_noise_decides_nothing(name):
    recipe = made(name, classes=2)
    for number in range(2):
        recipe.step(a_batch(classes=2, seed=number))
    told = Condition.of(recipe, a_batch(classes=2))
    one, other = (recipe.sample(torch.randn(4, 4), told) for _ in range(2))
    assert one.equal(other)
    torch.testing.assert_close(recipe.reconstruct(a_batch(classes=2).images, told.classes), one)
    swapped = recipe.sample(torch.randn(4, 4), Condition(1 - told.classes, rgb=told.rgb))
    assert not swapped.equal(one)
    with pytest.raises(InputError, match="of RGB images"):
        recipe.sample(torch.randn(4, 4), Condition(told.classes))


@pytest.mark.parametrize("name", ["shs-gan", "cyclegan"])
def test_validation_measures_pairs_and_changes_nothing(name):
    recipe = made(name)
    recipe.step(a_batch())
    before = flat(recipe.state())
    held_out = a_batch(5, seed=9)
    figures = recipe.validate(held_out, seed=0)
    difference = recipe.reconstruct(held_out.images, held_out.classes) - held_out.images
    assert figures["error"] == pytest.approx(float(difference.square().mean().sqrt()), rel=1e-6)
    assert figures["score"] == -figures["error"]
    recipe.fit_latents(lambda count: a_batch(count))
    assert same(recipe.state(), dict(enumerate(before)))


@pytest.mark.parametrize("basis", ["pca", "nmf"])
@pytest.mark.parametrize("name", ["shs-gan", "cyclegan"])
def test_a_spectral_basis_holds_what_is_made(name, basis):
    recipe = made(name, spectral_basis=basis, basis_components=2, prepared=False)
    recipe.set_wavelengths(NM)
    notes = recipe.prepare(spectra(), NORMALISATION)
    assert any("NMF" in note for note in notes) == (basis == "nmf")
    for number in range(2):
        recipe.step(a_batch(seed=number))
    found = recipe.reconstruct(a_batch().images, torch.zeros(4, dtype=torch.int64)).movedim(1, -1).reshape(-1, BANDS)
    strengths = torch.linalg.svdvals((found - recipe.average.network.spectra.offset).double())
    assert strengths[2] < 1e-5 * strengths[0]
    if basis == "pca":  # these spectra lie in its plane, and the base begins there
        assert recipe.validate(a_batch(seed=3), 0)["error"] < 0.3


@pytest.mark.parametrize("pool_size", [0, 3])
def test_every_network_of_cyclegan_is_told_the_class_of_what_it_sees(pool_size):
    recipe = made("cyclegan", classes=2, pool_size=pool_size)
    told = []

    def of_colour(name, channels):
        """A network that keeps the colour of what it sees, and notes that and what it is told."""
        weight = torch.nn.Parameter(torch.ones(()))

        def network(images, classes):
            dark = images.flatten(1).mean(dim=1) < (0 if name == "rgb_critic" else 0.5)
            told.append((name, dark.long(), classes))
            return weight * images.mean(dim=1, keepdim=True).expand(-1, channels, -1, -1)

        return network, weight

    weights = {}
    for name, channels in {"to_cube": BANDS, "to_rgb": 3, "cube_critic": 1, "rgb_critic": 1}.items():
        network, weights[name] = of_colour(name, channels)
        setattr(recipe, name, network)
    recipe.generators = torch.nn.ParameterList([weights["to_cube"], weights["to_rgb"]])
    recipe.critics = torch.nn.ParameterList([weights["cube_critic"], weights["rgb_critic"]])
    recipe.optimisers = {
        name: torch.optim.SGD(getattr(recipe, name).parameters(), lr=0.0) for name in ("generators", "critics")
    }
    for _ in range(4):
        batch = a_batch(classes=2)
        cubes = (1 - batch.classes).float()[:, None, None, None].expand_as(batch.images)  # class 0 is bright
        others = 1 - batch.classes  # the RGB images are of the other class, every one
        rgb = (1 - others).float()[:, None, None, None].expand(-1, 3, 16, 16)
        recipe.step(Batch(cubes, batch.masks, batch.classes, rgb=rgb, rgb_classes=others))
    for name, seen, classes in told:
        assert seen.equal(classes), name
    assert len(told) == 4 * (4 + 2 + 4)


def test_nothing_is_compiled_that_has_to_be_differentiated_twice(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    shs, cycle = made("shs-gan", compile=True), made("cyclegan", compile=True)
    assert not any(network is shs.critic for network in compiled)
    for network in (shs.plain_generator, *cycle.generators, *cycle.critics):
        assert any(network is one for one in compiled)


def test_the_generator_of_shs_gan_moves_once_in_n_critic_steps():
    recipe = made("shs-gan", n_critic=3)
    moved = []
    for number in range(6):
        before = recipe.plain_generator.last.bias.detach().clone()
        scalars = recipe.step(a_batch(seed=number))
        moved.append(not before.equal(recipe.plain_generator.last.bias))
        assert ({"generator_loss", "rgb_error"} <= scalars.keys()) == any(moved)  # there are none before its first step
    assert moved == [False, False, True] * 2
    assert recipe.average.steps == 2


def test_the_rate_of_cyclegan_falls_over_the_second_half_also_after_going_back():
    recipe = made("cyclegan", max_images=40, lr=1e-3)
    rates = []
    for number in range(9):
        rates.append(recipe.optimisers["critics"].param_groups[0]["lr"])
        if number == 6:
            recipe.optimisers["critics"].param_groups[0]["lr"] /= 2
        recipe.step(a_batch(seed=number))
    np.testing.assert_allclose(rates[:7], np.array([1, 1, 1, 1, 1, 1, 0.8]) * 1e-3)
    np.testing.assert_allclose(rates[7:], np.array([0.3, 0.2]) * 1e-3)


def test_a_note_says_that_photographs_have_no_diagnosis(tmp_path):
    recipe = made("shs-gan", classes=2, conditional=True, photos=str(tmp_path), prepared=False)
    recipe.set_wavelengths(NM)
    assert any("without a diagnosis" in note for note in recipe.prepare(spectra(), NORMALISATION))


# --- parts


def test_least_squares_losses_are_their_closed_forms():
    real, fake = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.0, 2.0]])
    assert least_squares_critic_loss(real, fake) == (0.125 + 2.0) / 2
    assert least_squares_generator_loss(fake) == 1.0


def numbered(first, count):
    return torch.arange(first, first + count).float()[:, None, None, None]


def exchanged(pool, fresh, chance):
    """What a pool gives for images whose class is their number; each must come out with its own."""
    images, classes = pool.exchange(fresh, fresh.flatten().long(), chance)
    assert classes.equal(images.flatten().long())
    return images


def test_a_pool_gives_what_it_kept_in_exchange():
    pool = ImagePool(2)
    always, never = torch.tensor([[0.1, 0.9]]), torch.tensor([[0.9, 0.9]])
    assert exchanged(pool, numbered(0, 3), torch.cat([never] * 3)).flatten().tolist() == [0, 1, 2]
    assert exchanged(pool, numbered(3, 1), always).item() == 1  # the second of those kept
    assert exchanged(pool, numbered(4, 1), never).item() == 4
    assert exchanged(pool, numbered(5, 1), always).item() == 3
    assert len(pool) == 2
    assert exchanged(ImagePool(0), numbered(0, 2), torch.zeros(2, 2)).flatten().tolist() == [0, 1]


def test_a_pool_keeps_copies():
    pool, fresh = ImagePool(1), numbered(1, 1)
    exchanged(pool, fresh, torch.zeros(1, 2))
    fresh.zero_()
    assert exchanged(pool, numbered(2, 1), torch.zeros(1, 2)).item() == 1


@pytest.mark.parametrize(("model", "preset"), [(m, p) for m in ("shs-gan", "cyclegan") for p in PRESETS[m]])
def test_presets_are_complete(model, preset):
    config = parse({"model": model, **PRESETS[model][preset]})
    if preset == "published":
        assert (config.base, config.paired_weight) == ("none", 0)
        if model == "cyclegan":
            assert (config.cycle_weight, config.pool_size, config.blocks, config.batch_size) == (10, 50, 9, 1)
            assert config.rgb_weight == 0
        else:
            assert (config.critic, config.fourier_arm, config.gp_weight) == ("3d", True, 10)
