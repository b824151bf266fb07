"""The guard speaks when a training has come off the rails, once, and holds its tongue before."""

import threading

import numpy as np
import pytest
import torch
from test_training_runs import last, same, stop_at, trained

from napari_hsisynth.jobs import new_run
from napari_hsisynth.training.guard import FAKE, LOSS, REAL, WINDOW_STEPS, Guard, Statistics
from napari_hsisynth.training.recipes.vae import VAERecipe
from napari_hsisynth.training.roll_back import MOST_ROLL_BACKS, slowed
from napari_hsisynth.training.run import TrainingFailed, resume, train

NM = np.linspace(465, 630, 4)


def windows(guard, *scalars):
    """Show a guard windows in which the scalars are constant; all that it says, with the window's number."""
    said = []
    for number, values in enumerate(scalars):
        guard.add({name: torch.tensor(float(value)) for name, value in values.items()})
        said += [(number, message) for message in guard.look_at_losses()]
    return said


def losses(*values):
    return [{LOSS: value} for value in values]


def descent(count, rng, noise=0.05):
    """A loss as the VAE's, in nats per value: from 1.4 to -0.6, below zero most of the time."""
    return 2 * np.exp(-np.arange(count) / 15) - 0.6 + rng.normal(0, noise, count)


@pytest.mark.parametrize("seed", range(5))
def test_a_sane_loss_is_no_news(seed):
    rng = np.random.default_rng(seed)
    single = descent(400, rng)
    single[100::50] += 8  # a bad batch now and then
    guard = Guard()
    assert windows(guard, *losses(*single)) == []
    slow_rise = np.concatenate([descent(200, rng), -0.6 + np.linspace(0, 1, 200)])  # as when a weight is faded in
    assert windows(Guard(), *losses(*slow_rise)) == []


def test_an_exploding_loss_is_told_once_per_episode():
    rng = np.random.default_rng(0)
    good = descent(60, rng)
    guard = Guard()
    assert windows(guard, *losses(*good)) == []
    assert guard.calm
    said = windows(guard, *losses(*[40.0] * 20))
    assert [number for number, _ in said] == [3]  # the fourth window in a row
    assert "the loss has risen to 40 and stays there, where it was -0.33" in said[0][1]
    assert not guard.calm
    assert windows(guard, *losses(*[-0.6] * 40)) == []
    assert guard.calm
    assert len(windows(guard, *losses(*[90.0] * 20))) == 1


def scores(real, fake, critic):
    return {LOSS: critic, REAL: real, FAKE: fake}


@pytest.mark.parametrize("seed", range(3))
def test_a_sane_adversary_is_no_news(seed):
    rng = np.random.default_rng(seed)
    hinge = []
    for _ in range(400):
        real, fake = 0.6 + rng.normal(0, 0.3), -0.6 + rng.normal(0, 0.3)
        hinge.append(scores(real, fake, max(0, 1 - real) + max(0, 1 + fake)))
    assert windows(Guard(), *hinge) == []
    apart = 60 * np.exp(-np.arange(400) / 60) * np.minimum(1, np.arange(400) / 10) + 3 + rng.normal(0, 0.5, 400)
    level = np.cumsum(rng.normal(0, 1, 400))  # a Wasserstein critic's level is free
    assert windows(Guard(), *(scores(a + b, b, -a + 0.3) for a, b in zip(apart, level, strict=True))) == []


def test_collapsed_discriminators():
    rng = np.random.default_rng(0)

    def play(real, fake, critic, count):
        return [scores(real + rng.normal(0, 0.05), fake + rng.normal(0, 0.05), critic) for _ in range(count)]

    def said_of(*then):
        guard = Guard()
        assert windows(guard, *play(0.6, -0.6, 0.8, 60)) == []
        return [message.split(":")[0] for _, message in windows(guard, *then)]

    assert said_of(*play(3, -3, 0.0, 100)) == ["the discriminator has made no error for 40 steps"]
    assert said_of(*[scores(0.2, 0.2, 2.0)] * 100) == [
        "the discriminator has given all images the same score for 40 steps"
    ]
    assert said_of(*play(50, -50, -100, 20)) == ["the discriminator's scores of real and generated images run apart"]


def images(rng, mean=0.4, contrast=0.1, spread=0.1):
    """Images of 4 bands with so much contrast within each and difference between them."""
    of_image = rng.normal(0, spread, (16, 1, 1, 1))
    return (mean + of_image + rng.normal(0, contrast, (16, 4, 8, 8))).astype(np.float32)


def test_samples_out_of_place_are_told_if_they_were_in_place_or_late():
    rng = np.random.default_rng(0)
    real = Statistics.of(images(rng))
    good, far, grey, alike = (
        Statistics.of(i)
        for i in (
            images(rng),
            images(rng, mean=0.9),
            images(rng, contrast=0.005, spread=0.005),
            np.repeat(images(rng)[:1], 16, axis=0),
        )
    )
    guard = Guard()
    early = [guard.look_at_samples(one, real, NM, 0.1) for one in (far, far, alike, alike, grey, grey, good)]
    assert not any(early)
    assert guard.calm
    young = Guard()
    assert young.look_at_samples(far, real, NM, 0.1) == []
    assert not young.calm  # no sign of trouble yet, but nothing to go back to
    assert guard.look_at_samples(far, real, NM, 0.12) == []
    assert not guard.calm
    (message,) = guard.look_at_samples(far, real, NM, 0.13)
    assert "standard deviations off that of the real images" in message
    assert guard.look_at_samples(far, real, NM, 0.14) == []  # once
    for _ in range(2):
        assert guard.look_at_samples(good, real, NM, 0.15) == []
    assert [one for _ in range(5) for one in guard.look_at_samples(alike, real, NM, 0.2)] == [
        "the samples are almost identical: they differ by 0.0% of what real images differ"
    ]
    late = Guard()
    said = [one for part in (0.1, 0.2, 0.3, 0.4) for one in late.look_at_samples(grey, real, NM, part)]
    assert ["contrast" in one or "almost identical" in one for one in said] == [True, True]


def test_one_real_image_or_a_constant_band_is_nothing_to_judge_by():
    one = images(np.random.default_rng(0))[:1]
    flat = np.zeros((3, 4, 8, 8), dtype=np.float32)
    for real in (one, flat):
        guard = Guard()
        for _ in range(3):
            assert guard.look_at_samples(Statistics.of(one), Statistics.of(real), NM, 1.0) == []


def test_only_the_learning_rates_are_slowed():
    weights = torch.ones(2)
    state = {
        "network": {"w": weights},
        "optimisers": [{"state": {0: {"step": 3}}, "param_groups": [{"lr": 1.0, "eps": 2}]}],
    }
    slower = slowed(state, 0.25)
    assert slower["optimisers"] == [{"state": {0: {"step": 3}}, "param_groups": [{"lr": 0.25, "eps": 2}]}]
    assert slower["network"]["w"] is weights
    assert state["optimisers"][0]["param_groups"][0]["lr"] == 1.0


@pytest.fixture
def fragile(monkeypatch):
    """A VAE whose weights leave the numbers after 36 images at learning rates above a limit."""

    def poison(limit):
        step = VAERecipe.step

        def step_or_break(self, batch):
            scalars = step(self, batch)
            if self.average.steps >= 9 and self.optimiser.param_groups[0]["lr"] > limit:
                next(self.plain.parameters()).data.fill_(torch.nan)
            return scalars

        monkeypatch.setattr(VAERecipe, "step", step_or_break)
        # a VAE of 16 pixels that has seen 32 images is far from the real ones
        for name, anything in (("_MEAN_OFF", 1e9), ("_STD_FACTORS", (0.0, 1e9)), ("_LEAST_SPREAD", -1.0)):
            monkeypatch.setattr(f"napari_hsisynth.training.guard.{name}", anything)

    return poison


BACK = {"on_divergence": "roll_back", "max_images": 80, "checkpoint_every": 16, "preview_every": 16}


def test_a_training_goes_back_and_on_with_half_the_learning_rate(study, small, fragile):
    fragile(limit=0.3e-3)  # 1e-3 and 5e-4 break, 2.5e-4 does not
    run, result = trained(study, small(**BACK))
    assert (result["status"], result["images"]) == ("done", 80)
    backs = [event.fields for event in run.history() if event.kind == "rolled_back"]
    assert [(back["reached"], back["resumed_at"], back["lr"]) for back in backs] == [(48, 32, 5e-4), (48, 32, 2.5e-4)]
    assert "not a number" in backs[0]["reason"]
    kept = last(run)
    assert kept.recipe["optimiser"]["param_groups"][0]["lr"] == 2.5e-4
    assert len(kept.roll_backs) == 2
    reports = [event.images for event in run.events() if event.kind == "checkpoint"]
    assert reports == [16, 32, 48, 64, 80]  # what was undone is gone

    other = new_run(study.root, "vae")  # stopped somewhere after the first return, and resumed
    follower = threading.Thread(target=stop_at, args=(other, 56), daemon=True)
    follower.start()
    train(study.root, small(**BACK), diagnosis="melanoma", run=other)
    follower.join()
    while resume(other)["status"] != "done":
        pass
    assert same(vars(last(other)), vars(kept))


def test_it_goes_back_a_few_times_only(study, small, fragile):
    fragile(limit=0)
    with pytest.raises(TrainingFailed, match=f"{MOST_ROLL_BACKS} times of going back"):
        trained(study, small(**BACK))


def test_a_warning_a_stop_or_a_return(study, small, monkeypatch):
    monkeypatch.setattr("napari_hsisynth.training.guard._PATIENCE", {"explosion": 1, "drift": 9, "collapse": 9})

    def cry(self):
        return self._judge("explosion", True, "the loss has risen")

    monkeypatch.setattr(Guard, "look_at_losses", cry)
    length = {"max_images": 4 * WINDOW_STEPS + 20, "checkpoint_every": 64, "preview_every": 64}
    run, result = trained(study, small(**length))
    assert result["status"] == "done"
    warnings = [event.fields["message"] for event in run.events() if event.kind == "warning"]
    assert warnings.count("after 100 images the loss has risen; a lower learning rate may help") == 1
    with pytest.raises(TrainingFailed, match=r"after 100 images the loss has risen.*lower learning rate than 0.001"):
        trained(study, small(**length, on_divergence="stop"))
