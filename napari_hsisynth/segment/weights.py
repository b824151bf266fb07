"""The official weights of the segmenters that need some: which there are, where they are on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_hsisynth.errors import InputError
from napari_hsisynth.segment import hub_cache
from napari_hsisynth.segment.cache_folder import cache_folder
from napari_hsisynth.segment.weight_files import check_safetensors, check_torch_zip, sha256_of
from napari_hsisynth.typed_path import typed_path

TENSORS, CONFIG = "model.safetensors", "config.json"
#: What is needed of a repository.
HUB_FILES = (CONFIG, TENSORS)
HUB = "https://huggingface.co"
_META = "https://dl.fbaipublicfiles.com/segment_anything"


@dataclass(frozen=True)
class OfficialWeights:
    """Published weights of one model.

    Parameters
    ----------
    name, model : str
        Segmenter and variant, as for `load_segmenter`.
    repo : str
        Repository on the Hugging Face hub that has them for the transformers library.
    size_mb : int
        About what has to be downloaded, 10^6 bytes, for people; the server says how much it is.
    meta_file, sha256 : str
        Meta's own file, where that is what is fetched; empty otherwise.
    """

    name: str
    model: str
    repo: str
    size_mb: int
    meta_file: str = ""
    sha256: str = ""

    @property
    def source(self) -> str:
        """From where they are fetched, for people."""
        return f"{_META}/{self.meta_file}" if self.meta_file else f"{HUB}/{self.repo}"


OFFICIAL = (
    OfficialWeights("sam2", "tiny", "facebook/sam2.1-hiera-tiny", 156),
    OfficialWeights("sam2", "small", "facebook/sam2.1-hiera-small", 184),
    OfficialWeights("sam2", "base-plus", "facebook/sam2.1-hiera-base-plus", 324),
    OfficialWeights("sam2", "large", "facebook/sam2.1-hiera-large", 898),
    OfficialWeights(
        "sam",
        "vit_b",
        "facebook/sam-vit-base",
        375,
        "sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    OfficialWeights(
        "sam",
        "vit_l",
        "facebook/sam-vit-large",
        1250,
        "sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    OfficialWeights(
        "sam",
        "vit_h",
        "facebook/sam-vit-huge",
        2565,
        "sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
)


@dataclass(frozen=True)
class LocatedWeights:
    """Weights on this machine.

    Parameters
    ----------
    path : Path
        The file that holds them.
    config : Path, optional
        The network's configuration beside a safetensors file.
    stated_sha256 : str
        What the publisher says; empty where nobody has said.
    """

    path: Path
    config: Path | None = None
    stated_sha256: str = ""


@dataclass(frozen=True)
class WeightsStatus:
    """Whether the weights of a model are on this machine.

    Parameters
    ----------
    official : OfficialWeights
    located : LocatedWeights, optional
        Where they are; None if they are not there.
    problem : str
        Why they cannot be used, and what to do; empty if they can, as far as is known without reading them.
    """

    official: OfficialWeights
    located: LocatedWeights | None = None
    problem: str = ""

    @property
    def present(self) -> bool:
        """Whether they are there."""
        return self.located is not None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "name": self.official.name,
            "model": self.official.model,
            "present": self.present,
            "path": str(self.located.path) if self.located else None,
            "size_mb": round(self.located.path.stat().st_size / 1e6) if self.located else self.official.size_mb,
            "source": self.official.source,
        }


def official_weights(name: str, model: str | None = None) -> list[OfficialWeights]:
    """Return the published weights of a segmenter, of one model of it or of all.

    Raises
    ------
    InputError
        If the segmenter has none, or no such model.
    """
    of_name = [each for each in OFFICIAL if each.name == name]
    if not of_name:
        names = ", ".join(dict.fromkeys(each.name for each in OFFICIAL))
        raise InputError(f"no weights of a segmenter '{name}'", fix=f"those with weights are: {names}")
    found = [each for each in of_name if model in (None, each.model)]
    if not found:
        models = ", ".join(each.model for each in of_name)
        raise InputError(f"{name} has no model '{model}'", where="model", fix=f"use one of: {models}")
    return found


def locate_weights(name: str, model: str, weights: str | Path | None = None) -> LocatedWeights:
    """Find the weights of a model; nothing is read, and nothing is fetched.

    Parameters
    ----------
    name, model : str
    weights : path-like, optional
        A file, or the folder that it is in. By default, what was fetched before by this program or, from the Hugging
        Face hub, by any other.

    Raises
    ------
    InputError
        If there are none; says how to get them.
    """
    official = official_weights(name, model)[0]
    if weights:
        return _given(official, typed_path(weights))
    if official.meta_file and meta_path(official).is_file():
        return LocatedWeights(meta_path(official), stated_sha256=official.sha256)
    folder = hub_cache.snapshot(official.repo, HUB_FILES)
    if folder is not None:
        return LocatedWeights(folder / TENSORS, folder / CONFIG, hub_cache.stated_sha256(folder / TENSORS))
    raise InputError(
        f"the weights of {name} {model} ({official.size_mb:,} MB) are not on this machine",
        fix=f"run: napari-hsisynth weights fetch {name} --model {model}, or name a folder that has them (weights)",
    )


def weights_status(name: str, model: str, weights: str | Path | None = None) -> WeightsStatus:
    """Return whether the weights of a model are on this machine; takes no time and reads no weights."""
    official = official_weights(name, model)[0]
    try:
        located = locate_weights(name, model, weights)
    except InputError as error:
        return WeightsStatus(official, problem=str(error))
    return WeightsStatus(official, located)


def check_weights(located: LocatedWeights, cancelled: Callable[[], bool] = bool) -> str:
    """Read weights from end to end without loading them; return their sha256, hex.

    Raises
    ------
    InputError
        If the file is damaged, no weights at all, or not what was published.
    Cancelled
        If `cancelled` returned true.
    """
    if located.config is None:
        check_torch_zip(located.path)
    else:
        check_safetensors(located.path)
    found = sha256_of(located.path, cancelled)
    if located.stated_sha256 and found != located.stated_sha256:
        raise InputError(
            f"damaged: its sha256 is {found[:12]}..., published is {located.stated_sha256[:12]}...",
            where=located.path,
            fix="delete it and fetch it again",
        )
    return found


def meta_path(official: OfficialWeights) -> Path:
    """Return where Meta's own file is kept once it has been fetched."""
    return cache_folder() / "weights" / official.meta_file


def _given(official: OfficialWeights, path: Path) -> LocatedWeights:
    """Find weights where the user said that they are."""
    needed = f"a folder with {CONFIG} and {TENSORS}" + (" or a .pth file" if official.meta_file else "")
    if path.is_dir():
        if (path / TENSORS).is_file() and (path / CONFIG).is_file():
            return LocatedWeights(path / TENSORS, path / CONFIG, hub_cache.stated_sha256(path / TENSORS))
        checkpoints = sorted(path.glob("*.pth")) if official.meta_file else []
        chosen = [each for each in checkpoints if each.name == official.meta_file] or checkpoints
        if len(chosen) == 1:
            return LocatedWeights(chosen[0])
        what = f"{len(chosen)} .pth files" if chosen else f"no weights of {official.name}"
        raise InputError(f"{what} in this folder", where=path, fix="name the file" if chosen else f"give {needed}")
    if not path.exists():
        raise InputError("no such file or folder", where=path, fix=f"give {needed}")
    if path.suffix == ".safetensors":
        if not path.with_name(CONFIG).is_file():
            raise InputError(f"{CONFIG} is missing beside it", where=path, fix=f"give {needed}")
        return LocatedWeights(path, path.with_name(CONFIG))
    if official.meta_file:
        return LocatedWeights(path)
    raise InputError("not in the form that the transformers library reads", where=path, fix=f"give {needed}")
