"""The picture at the top of README.md, a minute of training each: python examples/four_needs.py DATASET BEATS CLEAN OTHERS

DATASET is digits or mnist; BEATS a file as strange_heartbeats.py takes it; CLEAN and OTHERS are folders of photos, to learn from
and to clean. The others are small, so that their noise can be seen.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

import hourglass as hg

dataset, beats, clean, others = sys.argv[1:]
SETTINGS = {"max_seconds": 60, "random_state": 0, "verbose": True}
SHOWN = 4

digits = hg.datasets.load(dataset)
some = digits.x_test[[np.flatnonzero(digits.y_test == label)[0] for label in (2, 5, 7, 8)]]
compressing = hg.Autoencoder(32, **SETTINGS).fit(digits.x_train)
generating = hg.VariationalAutoencoder(16, **SETTINGS).fit(digits.x_train, condition=digits.y_train)
made = generating.sample(2 * SHOWN, condition=np.arange(2 * SHOWN), random_state=0)

with np.load(beats) as file:
    usual, new = file["x_train"][file["y_train"] == 1], file["x_test"]
flagging = hg.AnomalyDetector(kind="series", random_state=0).fit(usual)
found = flagging.explain(new, most=1).unique("row", keep="first", maintain_order=True)

cleaning = hg.DenoisingAutoencoder(corruption="noise:25", **SETTINGS).fit(clean)
noisy = cleaning.damage(list(hg.read(others))[:SHOWN], random_state=0)
cleaned = cleaning.denoise(noisy)

figure = plt.figure(figsize=(15, 2.6), layout="constrained")
panels = figure.subfigures(1, 4, wspace=0.04)


def axes(panel: int, title: str) -> np.ndarray:
    """Two rows of places."""
    panels[panel].suptitle(title)
    places = panels[panel].subplots(2, SHOWN)
    for place in places.flat:
        place.set_axis_off()
    return places.ravel()


for place, picture in zip(axes(0, "compress: digits, and from 32 numbers"), [*some, *compressing.reconstruct(some)], strict=True):
    place.imshow(picture, cmap="gray", vmin=0, vmax=255)
places = axes(1, "flag: usual heartbeats, and what is strange")
for place, beat in zip(places, [*usual[:SHOWN], *new[found["row"][:SHOWN]]], strict=False):
    place.plot(beat, color="gray")
for place, one in zip(places[SHOWN:], found.iter_rows(named=True), strict=False):
    place.axvspan(one["start"], one["end"], color="tab:red", alpha=0.3, linewidth=0)
for place, picture in zip(axes(2, "clean: noisy photos, and cleaned"), [*noisy, *cleaned], strict=False):
    place.imshow(picture.clip(0, 1), cmap="gray")
for place, picture in zip(axes(3, "generate: digits that nobody wrote"), made, strict=True):
    place.imshow(picture, cmap="gray", vmin=0, vmax=255)
figure.savefig("needs.png", dpi=100)
