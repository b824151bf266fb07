"""The verb ``train``."""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import yaml

from napari_hsisynth.errors import InputError, MissingExtraError
from napari_hsisynth.jobs import RunFolder, new_run
from napari_hsisynth.photographs import files_in
from napari_hsisynth.study import Diagnosis, Study
from napari_hsisynth.training.config import PRESETS, ModelConfig, check_bands, parse
from napari_hsisynth.typed_path import typed_path


class Output(Protocol):
    """What the command line gives us to speak through."""

    def progress(self, done: int, total: int | None, unit: str = ..., extra: str = ...) -> None: ...
    def note(self, text: str) -> None: ...
    def result(self, value: dict[str, Any], text: str) -> None: ...


def train_command(args: argparse.Namespace, out: Output) -> int:
    """Run ``train``: check everything that can be checked first, so that bad input leaves no run folder behind."""
    if args.resume is not None:
        run = _run_to_resume(args)
        training = _training()
        if args.run is None:
            run.clear_stop()  # left by a process that was killed before it saw it
        result = training.resume(run, screen=out)
    else:
        try:
            config, study, diagnosis = _checked(args)
            training = _training()
            fabric = training.launch(config)
        except InputError as error:
            if args.run is not None:  # whoever made the folder watches it for a reason
                RunFolder(args.run).append("failed", message=str(error))
            raise
        if args.run is not None:
            run = RunFolder(args.run)
        else:  # one folder for all processes
            name = f"{_model(config)}-{diagnosis or 'all'}"
            run = RunFolder(fabric.broadcast(str(new_run(study.root, name).path) if fabric.is_global_zero else ""))
        result = training.train(study.root, config, diagnosis=diagnosis, run=run, screen=out, fabric=fabric)
    if not training.is_first_process():
        return 0
    out.note(f"{result['status']} at {result['images']:,} images")
    out.result(result, result["run"])
    return 0


def _training(module: str = "run") -> Any:
    # Threads that wait by spinning take the processor from napari and from each other: on a busy machine of two cores
    # training was three to six times slower with them. Read once, when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return import_module(f"napari_hsisynth.training.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("napari_hsisynth"):
            raise
        raise MissingExtraError("training", "train") from error


def _checked(args: argparse.Namespace) -> tuple[ModelConfig, Study, str | None]:
    flags = {"devices": args.devices, "num_nodes": args.num_nodes, "init": args.init}
    changes = [f"{name}={value}" for name, value in flags.items() if value is not None]
    config = parse(settings(args.model, args.preset, args.config, [*args.set, *changes]))
    study = Study.open(args.study)
    check_bands(config, len(study.wavelengths_nm))
    if config.conditional and args.diagnosis is not None:
        raise InputError(
            "a conditional model learns all diagnoses",
            where="--diagnosis",
            fix="leave it out, or conditional=false",
        )
    if config.init:
        # as a full path: the run is found again from wherever this one is looked at
        path = _training("initial_weights").found_run(config.init, study.runs_dir).path
        config = config.model_copy(update={"init": str(path)})
        _training("initial_weights").check_alike(RunFolder(path), config, len(study.wavelengths_nm))
    config = with_full_paths(config, study)
    diagnosis = None if args.diagnosis is None else Diagnosis.parse(args.diagnosis, where="--diagnosis").value
    records = study.crops()
    if not records:
        raise InputError("the study has no crops", where=study.root, fix=f"run: napari-hsisynth crop {args.study}")
    there = {record.diagnosis.value for record in records}
    if diagnosis is not None and diagnosis not in there:
        raise InputError(f"no crops of {diagnosis}", where=study.root, fix=f"there are: {', '.join(sorted(there))}")
    return config, study, diagnosis


def with_full_paths(config: ModelConfig, study: Study) -> ModelConfig:
    """A model's photographs and camera as full paths, once they are there and can be used; and its loss, if it is."""
    changes = {}
    if (loss := getattr(config, "reconstruction", "")) == "lpips":
        _training("reconstruction").chosen(loss)
    if photos := getattr(config, "photos", ""):
        changes["photos"] = str(typed_path(photos).absolute())
        if not Path(changes["photos"]).is_dir():
            raise InputError("no such folder of photographs", where="photos", fix=f"there is no {changes['photos']}")
        files_in(changes["photos"])
    if camera := getattr(config, "camera", ""):
        known = _training("camera")
        if camera != known.OBSERVER:
            changes["camera"] = camera = str(typed_path(camera).absolute())
        known.rgb_weights(camera, study.wavelengths_nm)
    return config.model_copy(update=changes)


def settings(model: str | None, preset: str | None, file: Path | None, changes: list[str]) -> dict[str, Any]:
    """Put a configuration together: the preset, over it the file, over it ``--model`` and each ``--set``.

    Parameters
    ----------
    model : str, optional
        Family; else the file's, else "vae".
    preset : str, optional
        One of the family's presets.
    file : path, optional
        YAML with field names and values; a run's ``config.yaml`` will do.
    changes : list of str
        ``K=V`` each.

    Raises
    ------
    InputError
        If the preset or the file cannot be used, or a change is not of this form.
    """
    from_file = {} if file is None else _read_yaml(file)
    chosen = model or from_file.get("model", "vae")
    presets = PRESETS.get(chosen, {})
    if preset is not None and preset not in presets:
        raise InputError(f"no preset {preset!r}", where="--preset", fix=f"{chosen} has: {', '.join(presets)}")
    values: dict[str, Any] = {**presets.get(preset or "", {}), **from_file, "model": chosen}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name.strip():
            raise InputError(f"{change!r} is not of the form K=V", where="--set", fix="write for example --set lr=1e-4")
        values[name.strip()] = value.strip()
    return values


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", where=path) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"not a YAML file: {error}", where=path) from error
    if not isinstance(values, dict):
        raise InputError("not a mapping of settings", where=path, fix="write lines like: lr: 1.0e-4")
    return values


def _run_to_resume(args: argparse.Namespace) -> RunFolder:
    given = {"--model": args.model, "--diagnosis": args.diagnosis, "--preset": args.preset, "--config": args.config}
    given |= {"--init": args.init, "--devices": args.devices, "--num-nodes": args.num_nodes}
    for flag, value in {**given, "--set": args.set or None}.items():
        if value is not None:
            raise InputError("a resumed run keeps its settings", where=flag, fix="leave it out, or start a new run")
    study = Study.open(args.study)
    for candidate in (args.resume, study.runs_dir / args.resume):
        run = RunFolder(candidate)
        if run.exists():
            if run.path.resolve().parent != study.runs_dir.resolve():
                raise InputError("a run of another study", where=args.resume, fix=f"runs of this one: {study.runs_dir}")
            return run
    raise InputError("no such run", where=args.resume, fix=f"the runs of this study are in {study.runs_dir}")


def _model(config: ModelConfig) -> str:
    return str(config.model_dump()["model"])
