"""What the scalars of a training run are called for eyes, and which of them belong into one plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: Prefixes of the same quantity on images that the network does not learn from.
_HELD_OUT = ("val_", "val/", "validation_")

#: Names for eyes, with units; any other scalar goes by its own name.
_NAMES = {
    "kl_nats": "KL (nats)",
    "angle_deg": "spectral angle (deg)",
    "spectra_sw": "spectral SW",
    "patches_sw": "patch SW",
    "lr": "learning rate",
    "gradient": "gradient norm",
    "error": "reconstruction error (std of a band)",
    "distance": "distance to the nearest sample (std)",
    "rejected": "share of samples rejected",
    "mask_iou": "IoU with the mask asked for",
}

#: Words that are written in capitals.
_CAPITALS = {"iou": "IoU", "kl": "KL", "psnr": "PSNR", "rgb": "RGB", "ssim": "SSIM"}


@dataclass(frozen=True)
class Series:
    """One quantity within a plot.

    Parameters
    ----------
    name : str
        Of the scalar, without the prefix of validation.
    label : str
        In the legend.
    dashed : bool
        Of synthetic images, which are dashed everywhere.
    """

    name: str
    label: str
    dashed: bool = False


@dataclass(frozen=True)
class Plotted:
    """What one choice of the plot shows: one quantity, or several that only say something together.

    Parameters
    ----------
    title : str
        Of the choice.
    axis : str
        Label of the vertical axis.
    series : tuple of Series
    """

    title: str
    axis: str
    series: tuple[Series, ...]


#: Quantities that are plotted together where a model has more than one of them.
_TOGETHER = (
    Plotted("losses", "loss", (Series("loss", "critic"), Series("generator_loss", "generator"))),
    Plotted(
        "scores by the critic",
        "score by the critic",
        (Series("real_score", "real"), Series("fake_score", "synthetic", dashed=True)),
    ),
    Plotted(
        "IoU with the mask asked for",
        "IoU of automatic masks",
        (Series("mask_iou_real", "real"), Series("mask_iou", "synthetic", dashed=True)),
    ),
)


def split_name(name: str) -> tuple[str, str]:
    """Return (quantity, role) of a scalar: ``val_loss`` -> ``("loss", "validation")``."""
    for prefix in _HELD_OUT:
        if name.startswith(prefix):
            return name.removeprefix(prefix), "validation"
    return name.removeprefix("train_").removeprefix("train/"), "training"


def quantity_name(name: str) -> str:
    """Name of a quantity for eyes."""
    return _NAMES.get(name) or " ".join(_CAPITALS.get(word, word) for word in name.split("_"))


def arrange(names: Iterable[str]) -> list[Plotted]:
    """Say which plots there are to choose from: those of several quantities first, then each other one alone.

    Parameters
    ----------
    names : iterable of str
        Quantities, see `split_name`, in the order in which they first came.
    """
    left: Mapping[str, None] = dict.fromkeys(names)  # an ordered set
    plots = []
    for group in _TOGETHER:
        there = tuple(one for one in group.series if one.name in left)
        if len(there) > 1:
            plots.append(Plotted(group.title, group.axis, there))
            left = {name: None for name in left if name not in {one.name for one in there}}
    alone = [Plotted(quantity_name(name), quantity_name(name), (Series(name, quantity_name(name)),)) for name in left]
    return plots + alone
