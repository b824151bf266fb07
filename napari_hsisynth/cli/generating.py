"""Verbs of generators: train, sample, evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_hsisynth.cli.parser import Verbs, assignment, positive, seed
from napari_hsisynth.terminal import Output

#: Kept here so that ``--help`` loads no configuration; a test holds it to `training.config.MODELS`.
MODEL_NAMES = ("vae", "dcgan", "fastgan", "rs-imle", "shs-gan", "cyclegan", "spade-fastgan", "flow")


def train(args: argparse.Namespace, out: Output) -> int:
    """Train a generator on the crops of a study, or resume a run."""
    from napari_hsisynth.training.command import train_command

    return train_command(args, out)


def sample(args: argparse.Namespace, out: Output) -> int:
    """Draw synthetic cubes from a trained run."""
    from napari_hsisynth.sampling import sample_command

    return sample_command(args, out)


def evaluate(args: argparse.Namespace, out: Output) -> int:
    """Compare real with synthetic cubes, or a model's reconstructions with their originals; write the report."""
    from napari_hsisynth.metrics.command import evaluate_command

    if args.reconstruct is None:
        return evaluate_command(args, out)
    from napari_hsisynth.sampling import reconstruct

    return evaluate_command(args, out, reconstruct)


def add_verbs(verbs: Verbs) -> None:
    """Add the verbs of this file."""
    p = verbs.add("train", train)
    p.add_argument("study", type=Path)
    p.add_argument("--model", default=None, metavar="M", help=f"one of: {', '.join(MODEL_NAMES)} (default: vae)")
    p.add_argument("--diagnosis", help="train on the crops of this diagnosis only (default: all)")
    p.add_argument("--preset", help="a named set of values, for example try or good")
    p.add_argument("--config", type=Path, metavar="FILE", help="YAML with the configuration's fields")
    p.add_argument("--set", action="append", default=[], metavar="K=V", help="set one field, for example --set lr=1e-4")
    p.add_argument("--init", metavar="RUN", help="begin with the weights of this run, for example one on phantoms")
    p.add_argument("--devices", type=positive, metavar="N", help="processes on each machine, one per GPU (default: 1)")
    p.add_argument("--num-nodes", type=positive, metavar="M", help="machines, each running this command (default: 1)")
    p.add_argument("--resume", type=Path, metavar="RUN", help="go on with a stopped run")
    verbs.job(p)

    p = verbs.add("sample", sample)
    p.add_argument("source", type=Path, metavar="RUN", help="a training run's folder")
    p.add_argument("--n", type=positive, help="number of cubes (default: 16, or one per photograph of --rgb)")
    p.add_argument("--seed", type=seed, default=0)
    p.add_argument("--checkpoint", choices=["last", "best"], default="last")
    p.add_argument("--diagnosis", help="what a class-conditional model draws (default: its diagnoses in turn)")
    p.add_argument(
        "--mask",
        type=Path,
        metavar="FILE|DIR|CROP",
        help="lesions to draw, in turn: a picture, .npy, .npz, a folder of them, or the id of a crop; brought to the "
        "model's size, cut at the centre (default: those of the study's training split, never held-out ones)",
    )
    p.add_argument(
        "--rgb",
        type=Path,
        metavar="FILE|DIR|CROP",
        help="photographs to make cubes of, likewise; a folder with those in it (default: renders of the crops of the "
        "study's training split, never of held-out ones)",
    )
    p.add_argument("--truncation", type=float, default=1.0, metavar="PSI", help="multiply the noise by 0 < PSI <= 1")
    p.add_argument(
        "--interpolate", type=positive, metavar="STEPS", help="cubes on the way from the noise of each seed to the next"
    )
    p.add_argument(
        "--mix",
        type=seed,
        metavar="SEED",
        help="fine layers get the noise of this seed's cubes (fastgan, rs-imle, spade-fastgan)",
    )
    p.add_argument(
        "--set",
        dest="settings",
        action="append",
        type=assignment,
        default=[],
        metavar="K=V",
        help="draw with another setting than in the training: guidance, sampler, sampler_steps of flow",
    )
    p.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto", help="where to draw")
    p.add_argument("--devices", type=positive, default=1, metavar="N", help="processes on each machine, one per GPU")
    p.add_argument("--num-nodes", type=positive, default=1, metavar="M", help="machines to draw on together")
    p.add_argument("--out", type=Path, help="folder for the cubes (default: the study's synthetic/<run>)")
    verbs.job(p)

    p = verbs.add("evaluate", evaluate)
    p.add_argument("real", type=Path, nargs="?", help="a study, its crops, or a folder of cubes in crops form")
    p.add_argument("synthetic", type=Path, nargs="?", help="a folder of sampled cubes")
    p.add_argument("--reconstruct", type=Path, metavar="RUN", help="measure a model's held-out reconstructions instead")
    p.add_argument("--split", choices=["held-out", "train", "all"], default="held-out")
    p.add_argument("--diagnosis", help="compare this diagnosis (default: the one the generator was trained on)")
    p.add_argument("--seed", type=seed, default=0)
    p.add_argument("--out", type=Path, help="folder for the report (default: a new run folder of the study)")
    verbs.job(p)
