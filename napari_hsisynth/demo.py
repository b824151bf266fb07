"""The whole loop on phantoms, made of the same commands that a user would type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from napari_hsisynth.errors import InputError
from napari_hsisynth.terminal import Output

#: Cubes per diagnosis. A fifth or more of a class is held out, enough for a real-against-real floor.
PER_CLASS = 40
SHAPE = (144, 176)
DIAGNOSIS = "melanoma"


def run_demo(out: Output, *, folder: Path, headless: bool, size: int, minutes: float, seed: int) -> int:
    """Make a phantom study, crop it, train briefly, sample, evaluate, and name the report.

    Every step is a child process of this program, printed before it runs, so that each can be repeated by hand. A study
    that an earlier demo left in `folder` is used again; the training run is always new.

    Parameters
    ----------
    out : Output
        Where the result goes.
    folder : pathlib.Path
        The study's folder.
    headless : bool
        Do not open napari at the end; without a display it is not opened either way.
    size : int
        Image size of the generator, px.
    minutes : float
        How long to train. The training is then asked to stop, as the Stop button would.
    seed : int
        Of phantoms, training and samples.

    Returns
    -------
    int
        Exit status.
    """
    if minutes <= 0:
        raise InputError(f"{minutes:g} minutes is no time to train", where="--minutes", fix="give a positive number")
    began = time.monotonic()
    study = str(folder)
    if not (folder / "study.yaml").exists():
        shape = [str(side) for side in SHAPE]
        _run("phantom", study, "--per-class", str(PER_CLASS), "--shape", *shape, "--seed", str(seed))
    _run("crop", study)
    run = _train(folder, size=size, minutes=minutes, seed=seed)
    samples = _run("sample", str(run), "--n", str(PER_CLASS), "--seed", str(seed))["folder"]
    compared = _run("evaluate", study, samples)
    reconstructed = _run("evaluate", "--reconstruct", str(run))
    seconds = time.monotonic() - began
    result = {
        "study": study,
        "run": str(run),
        "samples": samples,
        "report": compared["report"],
        "reconstruction_report": reconstructed["report"],
        "findings": compared["findings"] + reconstructed["findings"],
        "seconds": round(seconds, 1),
    }
    findings = "\n".join(f"  - {sentence}" for sentence in result["findings"])
    out.result(
        result,
        f"\nThe loop took {seconds:.0f} s on phantoms (simulated lesions, no patients). It found:\n{findings}\n"
        f"report: {compared['report']}\nreconstructions: {reconstructed['report']}",
    )
    if not headless and has_display():
        return subprocess.call([sys.executable, "-m", "napari_hsisynth", "open", study])
    return 0


def has_display() -> bool:
    """Whether a window can be opened: always assumed on Windows and macOS, by the environment elsewhere."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _run(*words: str) -> dict:
    """Run one verb as a child process and return the object that it prints; its progress goes through to stderr."""
    print("$ napari-hsisynth " + " ".join(words), file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "napari_hsisynth", *words, "--json"], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the step '{words[0]}' ended with status {done.returncode}; its last line above says why")
    return json.loads(done.stdout)


def _train(folder: Path, *, size: int, minutes: float, seed: int) -> Path:
    """Train for about `minutes`: the run is asked to stop through its folder, as a dock would ask it."""
    from napari_hsisynth.jobs import launch, new_run, tail

    run = new_run(folder, f"vae-{DIAGNOSIS}")
    words = ["train", str(folder), "--model", "vae", "--diagnosis", DIAGNOSIS, "--preset", "try"]
    words += ["--set", f"image_size={size}", "--set", f"seed={seed}", "--set", "max_images=1000000000"]  # until stopped
    print("$ napari-hsisynth " + " ".join(words), file=sys.stderr, flush=True)
    job = launch(words, run)
    deadline, said = None, time.monotonic()
    for event in tail(run):
        if event.kind == "progress":
            deadline = deadline or time.monotonic() + 60 * minutes
            if time.monotonic() - said > 5:
                said = time.monotonic()
                print(f"{event.fields['done']:,} images, {event.fields['rate']:.0f}/s", file=sys.stderr, flush=True)
            if time.monotonic() > deadline and not run.stop_requested():
                run.request_stop()
    state = run.state()
    if state.status not in ("done", "stopped"):
        raise RuntimeError(f"training {state.status}: {state.reason}; see {run.log_path}")
    job.poll()
    return run.path
