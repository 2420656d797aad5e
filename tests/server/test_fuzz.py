"""Requests made up by chance: none is answered by a fault."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hourglass.server.actions import ACTIONS
from hourglass.server.bodies import ARROW, JSON, NPY

from .conftest import DIGITS, people
from .test_service import arrow, npy

FIELDS = ("rows", "condition", "most", "strength", "mask", "n", "seed", "steps", "path")
WORDS = st.sampled_from(["height", "town", "Rome", "abba", "auto", "straight", "nan", "inf", "2020-01-01"]) | st.text(max_size=5)
NUMBERS = st.integers(-(2**70), 2**70) | st.integers(-3, 300) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)
ROWS = (
    st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=3)
    | st.lists(st.fixed_dictionaries({"height": NUMBERS | st.none(), "town": WORDS | st.none()}), min_size=1, max_size=3)
    | st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3)
)
NOTES = st.lists(st.tuples(st.integers(50, 80), st.integers(0, 64) | WORDS, st.integers(1, 9)), max_size=4)
ROWS |= st.lists(st.fixed_dictionaries({"notes": NOTES}, optional={"metre": WORDS, "key": WORDS}), min_size=1, max_size=2)
BODIES = st.fixed_dictionaries({"rows": ROWS | VALUES}, optional=dict.fromkeys(FIELDS[1:], VALUES))
MODELS = ("digits", "cleaner", "drawer", "people", "detector", "parts", "waves", "record", "words", "tunes")
pytestmark = pytest.mark.filterwarnings("ignore")  # numbers near the end of their range overflow
quick = settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def require_no_fault(client, name, action, content, form):
    response = client.post(f"/v1/models/{name}/{action}", content=content, headers={"content-type": form})
    assert response.status_code < 500, (name, action, content, response.text)
    assert response.status_code == 200 or response.json()["detail"].endswith((".", "?"))


@pytest.mark.parametrize("action", ACTIONS)
@quick
@given(body=BODIES, name=st.sampled_from(MODELS))
def test_any_json_is_answered_or_refused(client, action, body, name):
    known = {field: value for field, value in body.items() if field in ACTIONS[action].asked.model_fields}
    require_no_fault(client, name, action, json.dumps(known).encode(), JSON)


@pytest.mark.parametrize(
    ("form", "good", "name"), [(NPY, npy(DIGITS.x_test[:2]), "digits"), (ARROW, arrow(people()[:3]), "people")]
)
@quick
@given(data=st.data())
def test_bodies_with_some_other_bytes_are_answered_or_refused(client, form, good, name, data):
    broken = bytearray(good)
    for place in data.draw(st.lists(st.integers(0, min(len(good) - 1, 900)), min_size=1, max_size=4)):
        broken[place] = data.draw(st.integers(0, 255))
    require_no_fault(client, name, "score", bytes(broken[: data.draw(st.integers(1, len(good)))]), form)
    require_no_fault(client, name, "encode", bytes(broken), form)
