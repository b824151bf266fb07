"""Print the table of docs/training.md: how near a spectral basis of the training split comes to held-out pixels.

python docs/spectral_basis_table.py STUDY [STUDY ...]
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from scipy.optimize import nnls

from napari_hsisynth.metrics import spectral_angle
from napari_hsisynth.study import Study
from napari_hsisynth.training.config import parse
from napari_hsisynth.training.data import load_images
from napari_hsisynth.training.device_data import DeviceData
from napari_hsisynth.training.normalisation import Normalisation
from napari_hsisynth.training.spectral_basis import decoder_for, fit_basis

SIZE_PX, TRAINING_PIXELS, HELD_OUT_PIXELS = 64, 50_000, 3_000
COMPONENTS = (2, 3, 4, 6, 8)


def angles_deg(study: Study) -> dict[tuple[str, int], float]:
    """Mean spectral angle between held-out pixels and their projections, degrees, by basis and components."""
    train, held_out = (load_images(study, splits, image_size=SIZE_PX) for splits in ({"train"}, {"val", "test"}))
    normalisation = Normalisation.fit(train.images)
    fitted_to, pixels = (
        DeviceData(images, normalisation, (), torch.device("cpu")).spectra(count, 0)
        for images, count in ((train, TRAINING_PIXELS), (held_out, HELD_OUT_PIXELS))
    )
    found = {}
    for basis in ("pca", "nmf"):
        for components in COMPONENTS:
            config = parse({"spectral_basis": basis, "basis_components": components})
            decoder = decoder_for(config, pixels.shape[1])
            fit_basis([decoder], fitted_to, normalisation)
            matrix, offset = decoder.matrix.double().numpy(), decoder.offset.double().numpy()
            wanted = pixels.double().numpy() - offset
            if basis == "nmf":
                abundances = np.stack([nnls(matrix, pixel)[0] for pixel in wanted])
            else:
                abundances = np.linalg.lstsq(matrix, wanted.T, rcond=None)[0].T
            made, real = (normalisation.decode(x.T[:, None]) for x in (abundances @ matrix.T + offset, pixels.numpy()))
            found[basis, components] = float(np.degrees(spectral_angle(made, real)))
    return found


def main(paths: list[str]) -> None:
    """Print one table of all studies."""
    tables = {path: angles_deg(Study.open(path)) for path in paths}
    print("| components |" + "".join(f" {Study.open(path).root.name}, {b} |" for path in paths for b in ("PCA", "NMF")))
    print("|---|" + "---|" * (2 * len(paths)))
    for components in COMPONENTS:
        cells = (f" {tables[path][basis, components]:.2f} |" for path in paths for basis in ("pca", "nmf"))
        print(f"| {components} |" + "".join(cells))


if __name__ == "__main__":
    main(sys.argv[1:])
