"""From names and values, as people write them, to a checked configuration."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from napari_hsisynth.errors import InputError
from napari_hsisynth.training.config.families import MODELS
from napari_hsisynth.training.config.shared import ModelConfig


def parse(values: Mapping[str, Any]) -> ModelConfig:
    """Check settings as they come from a YAML file, from ``--set`` flags or from a form.

    Parameters
    ----------
    values : mapping
        Field names to values; strings are converted ("1e-4", "8", "true"). ``model`` chooses the family. The key
        ``run`` of a run folder's ``config.yaml`` is left out, so that such a file can be used again.

    Returns
    -------
    ModelConfig
        The configuration, complete and within bounds.

    Raises
    ------
    InputError
        In one line: the field, the value and what is allowed; for an unknown field, the nearest known one.
    """
    settings = {str(key): value for key, value in values.items() if key != "run"}
    model = settings.get("model", "vae")
    if not isinstance(model, str) or model not in MODELS:
        raise InputError(f"model {model!r} is not known", where="model", fix=f"choose one of: {', '.join(MODELS)}")
    family = MODELS[model]
    unknown = [key for key in settings if key not in family.model_fields]
    if unknown:
        near = difflib.get_close_matches(unknown[0], family.model_fields, n=1)
        known = ", ".join(name for name in family.model_fields if name != "model")
        fix = f"did you mean {near[0]!r}?" if near else f"known settings: {known}"
        raise InputError(f"{model} has no setting {unknown[0]!r}", where="configuration", fix=fix)
    try:
        return family.model_validate(settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "configuration"
        allowed = describe_allowed(family.model_fields[name]) if name in family.model_fields else first["msg"]
        raise InputError(f"{first['input']!r} is not allowed", where=name, fix=f"use {allowed}") from None


def redrawn(config: ModelConfig, changes: Mapping[str, Any]) -> tuple[ModelConfig, dict[str, Any]]:
    """Change how samples of a trained model are drawn.

    Parameters
    ----------
    config : ModelConfig
        As it was trained.
    changes : mapping
        Some of ``config.DRAWING`` to values, which are converted as by `parse`.

    Returns
    -------
    ModelConfig, dict
        The configuration to draw with, and the values in it that are not those of the training.

    Raises
    ------
    InputError
        If a setting decides more than how samples are drawn, or a value is not allowed.
    """
    kept = config.model_dump()
    for name in changes:
        if name not in config.DRAWING:
            raise InputError(
                f"a trained {kept['model']} is not drawn from with another {name!r}",
                where="set",
                fix=f"use: {', '.join(config.DRAWING)}" if config.DRAWING else "leave it out",
            )
    drawn = parse(kept | dict(changes))
    return drawn, {name: value for name in config.DRAWING if (value := getattr(drawn, name)) != kept[name]}


def check_bands(config: ModelConfig, bands: int) -> None:
    """Raise InputError if a configuration asks for a spectral basis larger than `bands` have."""
    if config.spectral_basis != "none" and config.basis_components > bands:
        raise InputError(
            f"{bands} bands have no basis of {config.basis_components} components",
            where="basis_components",
            fix=f"use at most {bands}",
        )


def describe_allowed(field: FieldInfo) -> str:
    """The values a field takes, in words: ``"a whole number from 16 to 1024 (px)"``."""
    if options := get_args(field.annotation):
        return "one of: " + ", ".join(map(str, options))
    if field.annotation is bool:
        return "true or false"
    if field.annotation is str:
        return "text"
    limits = {
        name: getattr(m, name)
        for m in field.metadata
        for name in ("ge", "gt", "le", "lt", "multiple_of")
        if hasattr(m, name)
    }
    words = ["a whole number" if field.annotation is int else "a number"]
    if "ge" in limits:
        words.append(f"from {limits['ge']:g}")
    if "gt" in limits:
        words.append(f"above {limits['gt']:g}")
    if "le" in limits:
        words.append(f"to {limits['le']:g}" if "ge" in limits else f"and up to {limits['le']:g}")
    if "lt" in limits:
        words.append(f"and below {limits['lt']:g}")
    text = " ".join(words)
    if "multiple_of" in limits:
        text += f", a multiple of {limits['multiple_of']:g}"
    extra = field.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else ""
    return f"{text} ({unit})" if unit else text
