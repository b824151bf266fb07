"""A study with two synthetic sets: cubes below 0 and above 1, masks of every kind, one name in both sets."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from napari_hsisynth import Cube
from napari_hsisynth.study import Crop, CropRecord, Study, write_crop, write_crops_index

NM = np.array([465.25, 500.0, 610.125])
SHAPE = (9, 7)
FIRST, SECOND = "20260101-000000-vae-all-aaaa", "20260102-000000-spade-fastgan-all-bbbb"


def crop(
    crop_id, diagnosis, data, *, run, mask=None, mask_source="none", seed=1, condition="", nm=NM, shown=None, **drawn
):
    data = np.asarray(data, np.float32)
    height, width = data.shape[1:]
    record = CropRecord(
        crop_id, crop_id, 0, diagnosis, "", 0, 0, height, width, "cd" * 32, f"{crop_id}.npz", run, "last@24", seed,
        mask_source, condition=condition,
    )  # fmt: skip
    mask = np.zeros((height, width), bool) if mask is None else mask
    said = {"synthetic": True, "run": run, "seed": seed, **({"condition": shown} if shown else {}), **drawn}
    return Crop(Cube(data, nm, name=crop_id, provenance=said), mask, record)


def put_set(study, name, crops):
    folder = study.synthetic_dir(name)
    folder.mkdir(parents=True)
    for each in crops:
        write_crop(folder, each)
    write_crops_index(folder, [each.record for each in crops])


def put_run(study, run, *, verb="train", **about):
    folder = study.runs_dir / run
    folder.mkdir(parents=True)
    stored = {
        "model": run.split("-", 2)[2].rsplit("-", 2)[0],
        "lr": 1e-3,
        "photos": "/elsewhere/photos",
    }
    stored["run"] = {"verb": verb, "package_version": "0.1.0", "data_fingerprint": "fp", "diagnosis": "", **about}
    (folder / "config.yaml").write_text(yaml.safe_dump(stored))
    return folder


def values(seed, shape=SHAPE):
    return np.random.default_rng(seed).normal(0.5, 1, (len(NM), *shape)).astype(np.float32)


@pytest.fixture
def make():
    """The makers above."""
    return SimpleNamespace(
        crop=crop, put_set=put_set, put_run=put_run, values=values, nm=NM, shape=SHAPE, first=FIRST, second=SECOND
    )


@pytest.fixture
def study(tmp_path):
    made = Study.create(tmp_path / "mine", wavelengths_nm=NM, notes="PHANTOM: simulated cubes")
    put_run(made, FIRST)
    lesion = np.zeros(SHAPE, bool)
    lesion[2:5, 3] = True
    put_set(
        made,
        FIRST,
        [crop(f"syn-{n}", d, values(n), run=FIRST, seed=n) for n, d in enumerate(["melanoma", "nevus", "melanoma"])],
    )
    conditioned = {"run": SECOND, "mask": lesion, "mask_source": "conditioning", "condition": "DN_1_1"}
    put_set(
        made,
        SECOND,
        [
            crop("syn-0", "dysplastic_nevus", values(10), **conditioned),
            crop("SYN-1", "seborrheic_keratosis", values(11, (1, 5)), run=SECOND, seed=None),
        ],
    )
    return made


@pytest.fixture
def evaluated(study):
    """The same, with two evaluations of the first set."""
    for run, value in (("20260103-000000-evaluate-1", 0.5), ("20260104-000000-evaluate-2", 0.25)):
        folder = put_run(study, run, verb="evaluate", synthetic=f"synthetic/{FIRST}")
        figure = {"value": value, "ci": [0.1, 0.3], "floor": 0.125, "n": 8, "unit": "rad", "label": "Angle", "note": ""}
        report = {
            "n_real": 8,
            "n_synthetic": 3,
            "metrics": {"angle": figure},
            "compared": {"diagnosis": "all"},
            "findings": ["near"],
        }
        (folder / "report").mkdir()
        (folder / "report" / "metrics.json").write_text(json.dumps(report))
    return study


@pytest.fixture
def synthetic():
    """Read all crops of a synthetic set, by id."""

    def read(study, name):
        from napari_hsisynth.study import read_crop, read_crops_index

        folder = study.synthetic_dir(name)
        return {record.crop_id: read_crop(folder, record) for record in read_crops_index(folder)}

    return read


@pytest.fixture
def files():
    """Return the bytes of all files of a folder, by relative path."""

    def read(folder):
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    return read
