"""The map as an element of the page: many points on a canvas, and what a person does with them."""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from fastapi import HTTPException, Response
from nicegui import app
from nicegui.element import Element
from numpy.typing import NDArray

MOST_KEPT = 48  # bodies for browsers to fetch; of the largest map one has 800 kB

_BODIES: OrderedDict[str, bytes] = OrderedDict()


class Points(Element, component="assets/points.js"):
    """Up to some hundred thousand points, to be moved, zoomed, hovered over, picked and lassoed.

    Parameters
    ----------
    points : array of shape (n, 2), float32
    places : array of shape (n,), uint8
        Of each point's colour in the palette.
    palette : sequence of str
        Colours, "#rrggbb".
    label : str
        What the map shows, for those who don't see it.
    """

    def __init__(self, points: NDArray[Any], places: NDArray[Any], palette: Sequence[str], label: str) -> None:
        super().__init__()
        self._props.update(url=body(points), tints=body(places), palette=list(palette), label=label, lasso=False)

    def show(self, **props: Any) -> None:
        """Change what is shown: ``points``, ``places``, ``palette``, ``label``, ``lasso``."""
        names = {"points": "url", "places": "tints"}
        self._props.update({names.get(name, name): body(what) if name in names else what for name, what in props.items()})
        self.update()

    def when(self, event: str, handler: Callable[[Any], Any], throttle: float = 0.0) -> None:
        """Call a handler with what the browser tells: "pick" a row, "ground" a place, "hover" a row, "lasso" corners."""
        self.on(event, lambda e: handler(e.args), throttle=throttle)

    def choose(self, chosen: NDArray[Any] | None) -> None:
        """Dim all points but those of a mask (n,)."""
        bits = "" if chosen is None else base64.b64encode(np.packbits(chosen).tobytes()).decode()
        self.run_method("choose", bits)


def body(array: NDArray[Any]) -> str:
    """Where a browser can fetch the bytes of an array for now."""
    content = np.ascontiguousarray(array).tobytes()
    key = blake2b(content, digest_size=16).hexdigest()
    _BODIES[key] = content
    _BODIES.move_to_end(key)
    while len(_BODIES) > MOST_KEPT:
        _BODIES.popitem(last=False)
    return f"/points/{key}"


@app.get("/points/{key}")
def fetched(key: str) -> Response:
    """The bytes of a `body`."""
    if key not in _BODIES:
        raise HTTPException(404, "This map is no longer kept. Reload the page.")
    headers = {"cache-control": "private, max-age=3600, immutable"}
    return Response(_BODIES[key], media_type="application/octet-stream", headers=headers)
