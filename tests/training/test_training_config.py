"""One declaration of every setting: bounds, units, words; a bad value is one clear line."""

import subprocess
import sys

import pytest

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.command import settings
from napari_hsisynth.training.config import MODELS, PRESETS, parse


@pytest.mark.parametrize("name", MODELS)
def test_every_field_is_described_with_a_unit(name):
    for field, info in MODELS[name].model_fields.items():
        if field != "model":
            assert info.description, field
            assert "\n" not in info.description, field
            assert isinstance(info.json_schema_extra.get("unit"), str), field
    assert MODELS[name].model_json_schema()["properties"]["lr"]["exclusiveMinimum"] == 0


@pytest.mark.parametrize(("model", "preset"), [(m, p) for m in PRESETS for p in PRESETS[m]])
def test_presets_are_valid(model, preset):
    assert parse({"model": model, **PRESETS[model][preset]})


def test_text_from_a_shell_is_converted():
    config = parse({"lr": "1e-4", "max_images": "2e4", "augment": "false", "batch_size": "3"})
    assert (config.lr, config.max_images, config.augment, config.batch_size) == (1e-4, 20_000, False, 3)


def test_a_runs_configuration_can_be_used_again():
    config = parse({"lr": 3e-4})
    assert parse({**config.model_dump(), "run": {"verb": "train"}}) == config


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lr": "fast"}, ["lr", "'fast'", "above 0"]),
        ({"lr": float("nan")}, ["lr", "nan"]),
        ({"image_size": 12}, ["image_size", "12", "16 to 1024"]),
        ({"batch_size": 2.5}, ["batch_size", "2.5", "whole number"]),
        ({"max_images": "1e999"}, ["max_images", "1e999"]),
        ({"device": "tpu"}, ["device", "'tpu'", "cuda"]),
        ({"image_sise": 32}, ["image_sise", "did you mean 'image_size'"]),
        ({"model": "vea"}, ["'vea'", "vae"]),
        ({"model": []}, ["[]"]),
    ],
)
def test_a_bad_value_is_one_line(values, words):
    with pytest.raises(InputError) as caught:
        parse(values)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_flags_go_over_the_file_and_the_file_over_the_preset(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("lr: 0.0005\nimage_size: 32\n")
    config = parse(settings(None, "try", file, ["image_size=48"]))
    assert (config.lr, config.image_size, config.max_images) == (5e-4, 48, PRESETS["vae"]["try"]["max_images"])


@pytest.mark.parametrize("change", ["lr", "=3"])
def test_a_change_needs_a_name_and_a_value(change):
    with pytest.raises(InputError, match="K=V"):
        settings(None, None, None, [change])


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(InputError, match="try, good"):
        settings("vae", "best", None, [])


def test_the_configuration_needs_no_torch():
    code = "import sys, napari_hsisynth.training.config, napari_hsisynth.jobs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_help_of_train_names_every_model():
    from napari_hsisynth.cli.generating import MODEL_NAMES

    assert set(MODEL_NAMES) == set(MODELS)
