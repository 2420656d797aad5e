"""What the service answers: the library's own numbers, in every form, for every kind of data."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import polars as pl
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import hourglass as hg
from hourglass.server import create_app
from hourglass.server.bodies import ARROW, NPY

from .conftest import DIGITS, people, running, tunes, waves, words

X = DIGITS.x_test[:5]
ODD = np.array([[0.0, 0.1, 0.2], [0.0, 9.0, 0.0]])
TABLE = people()[:4]


def ask(client, name, action, body=None, status=200, **query):
    """What a model answers to JSON."""
    response = client.post(f"/v1/models/{name}/{action}", json=body, params=query)
    assert response.status_code == status, response.text
    return response.json()


def post(client, name, action, content, form, **query):
    """What a model answers to a body in another form."""
    accept = query.pop("accept", "*/*")
    headers = {"content-type": form, "accept": accept}
    response = client.post(f"/v1/models/{name}/{action}", content=content, headers=headers, params=query)
    assert response.status_code == 200, response.text
    return response


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def arrow(frame):
    file = io.BytesIO()
    frame.write_ipc_stream(file)
    return file.getvalue()


# Numbers


@pytest.mark.parametrize(
    ("name", "action", "rows", "field", "expected"),
    [
        ("digits", "encode", X, "codes", lambda model: model.transform(X)),
        ("digits", "reconstruct", X, "rows", lambda model: model.reconstruct(X)),
        ("digits", "score", X, "score", lambda model: model.score_samples(X)),
        (
            "digits",
            "decode",
            np.ones((2, 4), np.float32),
            "rows",
            lambda model: model.inverse_transform(np.ones((2, 4), np.float32)),
        ),
        ("digits", "interpolate", X[:2], "rows", lambda model: model.interpolate(X[:2])),
        ("cleaner", "denoise", X, "rows", lambda model: model.denoise(X)),
        ("detector", "score", ODD, "score", lambda model: model.score_samples(ODD)),
        ("detector", "score", ODD, "p_value", lambda model: model.p_values(ODD)),
        ("detector", "score", ODD, "alarm", lambda model: model.predict(ODD) < 0),
        ("parts", "score", X[:, ::4, ::4], "score", lambda model: model.score_samples(X[:, ::4, ::4])),
        ("waves", "encode", waves()[:3], "codes", lambda model: model.transform(waves()[:3])),
        ("waves", "reconstruct", waves()[:3], "rows", lambda model: model.reconstruct(waves()[:3])),
        ("record", "score", np.ones(300), "score", lambda model: model.score_samples(np.ones(300))),
        ("words", "encode", words()[:3], "codes", lambda model: model.transform(words()[:3])),
        ("words", "reconstruct", words()[:3], "rows", lambda model: model.reconstruct(words()[:3])),
    ],
)
def test_answers_are_the_librarys_own_numbers(client, models, name, action, rows, field, expected):
    found, wanted = ask(client, name, action, {"rows": rows.tolist()})[field], expected(models[name])
    assert isinstance(wanted, list) or np.array_equal(np.array(found, wanted.dtype), wanted)
    assert not isinstance(wanted, list) or found == wanted


@pytest.mark.parametrize("rows", [TABLE.to_dicts(), [list(row) for row in TABLE.rows()]], ids=["objects", "lists"])
def test_tables_come_as_objects_or_lists(client, models, rows):
    model = models["people"]
    assert np.array_equal(np.array(ask(client, "people", "encode", {"rows": rows})["codes"]), model.transform(TABLE))
    assert np.array_equal(np.array(ask(client, "people", "score", {"rows": rows})["score"]), model.score_samples(TABLE))


def test_rebuilt_tables_are_objects(client, models):
    assert (
        ask(client, "people", "reconstruct", {"rows": TABLE.to_dicts()})["rows"] == models["people"].reconstruct(TABLE).to_dicts()
    )


def test_samples_come_with_condition_and_seed(client, models):
    drawn = ask(client, "drawer", "sample", {"n": 3, "condition": 7, "seed": 1})["rows"]
    assert np.array_equal(drawn, models["drawer"].sample(3, condition=7, random_state=1))
    of_each = ask(client, "drawer", "sample", {"n": 2, "condition": [3, 8], "seed": 1})["rows"]
    assert np.array_equal(of_each, models["drawer"].sample(2, condition=[3, 8], random_state=1))
    assert ask(client, "people", "sample", None, n=4, seed=0)["rows"] == models["people"].sample(4, random_state=0).to_dicts()


def test_conditions_are_passed_on(client, models):
    found = ask(client, "drawer", "encode", {"rows": X.tolist(), "condition": [7, 1, 7, 1, 2]})["codes"]
    assert np.array_equal(np.float32(found), models["drawer"].transform(X, [7, 1, 7, 1, 2]))
    sentence = ask(client, "drawer", "encode", {"rows": X.tolist()}, 422)["detail"]
    assert (
        sentence
        == "This VariationalAutoencoder was fitted with a condition (condition). Say condition=, one for each row or one for all."
    )


def test_reasons_are_those_of_explain(client, models):
    wanted = models["detector"].explain(ODD, most=2)
    assert wanted.height == 2
    assert ask(client, "detector", "explain", {"rows": ODD.tolist(), "most": 2})["reasons"] == wanted.to_dicts()


def test_maps_are_those_of_heatmaps(client, models):
    pictures = X[:, ::4, ::4]
    wanted = models["parts"].heatmaps(pictures)
    assert np.array_equal(np.float32(ask(client, "parts", "heatmaps", {"rows": pictures.tolist()})["maps"]), wanted)
    assert np.array_equal(np.load(io.BytesIO(post(client, "parts", "heatmaps", npy(pictures), NPY).content)), wanted)


def test_drift_is_that_of_the_detector(client, models):
    rows = np.random.default_rng(1).normal(size=(200, 3)) + np.array([0, 2, 0])
    wanted = models["detector"].drift(rows)
    found = ask(client, "detector", "drift", {"rows": rows.tolist()})
    assert found == {"drifted": True, "p_value": wanted.p_value, "moved": wanted.moved, "columns": wanted.columns.to_dicts()}
    assert post(client, "detector", "drift", npy(rows), NPY).json()["columns"][0]["column"] == wanted.which[0] == "x1"
    asked = {"content": npy(rows), "headers": {"content-type": NPY, "accept": ARROW}}
    assert client.post("/v1/models/detector/drift", **asked).status_code == 406


def test_pictures_of_any_size_are_mended(client, models):
    pictures = [np.full((9, 12), 100, np.uint8), np.full((15, 7), 30, np.uint8)]
    found = ask(client, "cleaner", "denoise", {"rows": [picture.tolist() for picture in pictures], "strength": "auto"})["rows"]
    wanted = models["cleaner"].denoise(pictures, strength="auto")
    assert all(np.array_equal(some, one) for some, one in zip(found, wanted, strict=True))
    floats = X[:2].astype(np.float32) / 255
    mended = post(client, "cleaner", "denoise", npy(floats), NPY, strength=0.1)
    assert np.array_equal(np.load(io.BytesIO(mended.content)), models["cleaner"].denoise(floats, strength=0.1))


def test_melodies_go_as_objects(client, models):
    tune = tunes()[1]
    row = {"notes": [[pitch, str(start), str(long)] for pitch, start, long in tune.notes], "metre": "4/4", "key": "C"}
    assert np.array_equal(np.float32(ask(client, "tunes", "encode", {"rows": [row]})["codes"]), models["tunes"].transform([tune]))
    found = ask(client, "tunes", "reconstruct", {"rows": [row]})["rows"]
    (wanted,) = models["tunes"].reconstruct([tune])
    assert [hg.Melody(**one) for one in found] == [wanted]


# Forms


def test_arrays_go_as_npy(client, models):
    response = post(client, "digits", "encode", npy(X), NPY)
    assert response.headers["content-type"] == NPY
    assert np.array_equal(np.load(io.BytesIO(response.content)), models["digits"].transform(X))
    rows = post(
        client, "digits", "interpolate", npy(np.asfortranarray(X[:2])), NPY, steps=3, path="spherical", accept="application/json"
    )
    assert np.array_equal(rows.json()["rows"], models["digits"].interpolate(X[:2], steps=3, path="spherical"))


def test_doubles_keep_their_precision(client, models):
    found = np.load(io.BytesIO(post(client, "digits", "encode", npy(X / 255), NPY).content))
    assert found.dtype == np.float64
    assert np.array_equal(found, models["digits"].transform(X / 255))


def test_tables_go_as_arrow(client, models):
    response = post(client, "people", "reconstruct", arrow(TABLE), ARROW)
    assert response.headers["content-type"] == ARROW
    assert pl.read_ipc_stream(io.BytesIO(response.content)).equals(models["people"].reconstruct(TABLE))
    codes = pl.read_ipc_stream(io.BytesIO(post(client, "people", "encode", arrow(TABLE), ARROW).content))
    assert codes.columns == ["code0", "code1"]
    assert np.array_equal(codes.to_numpy(), models["people"].transform(TABLE))
    again = post(client, "people", "decode", arrow(codes), ARROW)
    assert pl.read_ipc_stream(io.BytesIO(again.content)).equals(models["people"].inverse_transform(codes))


def test_words_in_categories_and_strings_go_as_arrow(client, models):
    frame = pl.DataFrame({"word": words()[:3]})
    found = pl.read_ipc_stream(io.BytesIO(post(client, "words", "encode", arrow(frame), ARROW).content))
    assert np.array_equal(found.to_numpy(), models["words"].transform(words()[:3]))
    coded = TABLE.with_columns(pl.col("town").cast(pl.Categorical))
    found = pl.read_ipc_stream(io.BytesIO(post(client, "people", "encode", arrow(coded), ARROW).content))
    assert np.array_equal(found.to_numpy(), models["people"].transform(coded))


def test_scores_as_a_table(client, models):
    response = post(client, "detector", "score", npy(ODD), NPY, accept=ARROW)
    frame = pl.read_ipc_stream(io.BytesIO(response.content))
    assert frame.columns == ["score", "p_value", "alarm"]
    assert frame["alarm"].to_list() == [False, True]


def test_an_answer_that_has_no_such_form_is_json_if_any_will_do(client):
    response = post(client, "detector", "explain", npy(ODD), NPY)
    assert response.headers["content-type"] == "application/json"
    response = client.post("/v1/models/digits/reconstruct", json={"rows": X.tolist()}, headers={"accept": ARROW})
    assert response.status_code == 406
    assert response.json()["detail"] == f"This answer can't be had as {ARROW}. Accept application/json."


def test_long_answers_are_not_written_as_text(client):
    answer = client.post("/v1/models/waves/decode", content=npy(np.zeros((200, 2), np.float32)), headers={"content-type": NPY})
    assert np.load(io.BytesIO(answer.content)).shape == (200, 20)
    sentence = ask(client, "digits", "decode", {"rows": [[0, 0, 0, 0]] * 100}, 413)["detail"]
    assert sentence == "The answer has 78,400 numbers, and JSON may have 32,768. Ask for fewer rows, or accept application/x-npy."


# Together


def test_requests_at_the_same_time_are_computed_together(client, models):
    def batches():
        lines = client.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith("hourglass_batch_rows_count")).split()[1])

    before, many = batches(), DIGITS.x_test[:60]
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda row: ask(client, "digits", "score", {"rows": [row.tolist()]})["score"][0], many))
    np.testing.assert_allclose(found, models["digits"].score_samples(many), rtol=1e-5)
    assert batches() - before < 60


def test_a_bad_request_does_not_spoil_the_others(client, models):
    rows = [*ODD.tolist(), [0.0, float("inf"), 0.0]]

    def answer(row):
        return client.post(
            "/v1/models/detector/score", content=npy(np.array([row])), headers={"content-type": NPY, "accept": "*/*"}
        )

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(answer, rows * 10))
    assert [response.status_code for response in found] == [200, 200, 422] * 10
    assert "The table holds inf in row 0, column 1." in found[2].json()["detail"]


def test_requests_that_are_refused_together_do_not_end_the_work_of_a_model(client, models):
    def told(_):
        return ask(client, "detector", "score", {"rows": ODD.tolist(), "condition": "a"}, 422)["detail"]

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(told, range(36))) == {"A detector takes no condition. Leave it out."}
    assert ask(client, "detector", "score", {"rows": ODD.tolist()})["score"] == models["detector"].score_samples(ODD).tolist()


# What the service says of itself


def test_models_are_listed(client):
    assert [model["name"] for model in client.get("/v1/models").json()["models"]][:3] == ["digits", "cleaner", "drawer"]
    assert client.get("/v1/models/people").json() == {
        "name": "people",
        "estimator": "VariationalAutoencoder",
        "data": "a table of 1 numeric, 1 categorical columns",
        "kind": "table",
        "shape": [2],
        "dtype": "float64",
        "columns": ["height", "town"],
        "codes": 2,
        "actions": ["encode", "decode", "reconstruct", "score", "sample", "interpolate"],
    }
    plain = client.get("/v1/models/digits").json()["actions"]
    assert plain == ["encode", "decode", "reconstruct", "score", "interpolate"]  # nothing says how likely its codes are
    assert client.get("/v1/models/detector").json()["actions"] == ["score", "explain", "drift"]
    assert client.get("/v1/models/parts").json()["actions"] == ["score", "explain", "heatmaps", "drift"]
    assert client.get("/v1/models/cleaner").json()["actions"] == ["reconstruct", "score", "denoise"]


def test_the_root_says_what_is_here(client):
    found = client.get("/").json()
    assert (found["documentation"], found["models"], found["actions"]) == ("/docs", "/v1/models", "/v1/models/NAME/ACTION")
    assert client.get(found["documentation"]).status_code == client.get(found["models"]).status_code == 200


def test_scores_of_a_detector_are_columns_of_an_npy(client, models):
    found = np.load(io.BytesIO(post(client, "detector", "score", npy(ODD), NPY).content))
    model = models["detector"]
    wanted = np.column_stack([model.score_samples(ODD), model.p_values(ODD), model.predict(ODD) < 0])
    assert np.array_equal(found, wanted) and found.shape == (len(ODD), 3)
    assert set(found[:, 2]) <= {0, 1}
    assert np.load(io.BytesIO(post(client, "digits", "score", npy(X), NPY).content)).shape == (len(X),)


def test_alive_and_ready(client):
    assert client.get("/healthz").text == "ok"
    assert client.get("/readyz").text == "ready"
    for path in ("/healthz", "/readyz", "/", "/metrics"):  # as many who watch over services ask
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == client.get(path).headers["content-type"]
    assert client.head("/v1/models/digits/score").status_code == 405


def test_figures_are_counted(client):
    ask(client, "words", "encode", {"rows": ["abba"]})
    figures = client.get("/metrics").text
    assert 'hourglass_requests_total{action="encode",model="words",status="200"}' in figures
    assert 'hourglass_request_seconds_count{action="encode"}' in figures
    assert 'hourglass_waiting_rows{model="words"} 0.0' in figures


def test_alarms_are_counted(models):
    with running(create_app({"detector": models["detector"]})) as address, httpx.Client(base_url=address) as client:
        for _ in range(3):
            ask(client, "detector", "score", {"rows": ODD.tolist()})
        figures = client.get("/metrics").text
    assert 'hourglass_judged_rows_total{model="detector"} 6.0' in figures
    assert 'hourglass_alarms_total{model="detector"} 3.0' in figures


def test_the_documentation_describes_every_field_and_is_served_from_here(client):
    found = client.get("/openapi.json").json()
    for action in ("encode", "decode", "reconstruct", "score", "explain", "heatmaps", "drift", "denoise", "sample", "interpolate"):
        asked = found["paths"][f"/v1/models/{{name}}/{action}"]["post"]
        assert asked["summary"]
        schema = asked["requestBody"]["content"]["application/json"]["schema"]
        assert all(field["description"] for field in schema["properties"].values())
        assert "413" in asked["responses"]
    page = client.get("/docs").text
    assert "http://" not in page
    assert "https://" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/assets/{asset}" in page
        assert client.get(f"/assets/{asset}").status_code == 200


@pytest.mark.parametrize("place", ["/models", "/docs"])
def test_it_can_be_a_part_of_another_application(models, place):
    async def ask_there(method, path, **more):
        whole = Starlette(routes=[Mount(place, create_app({"digits": models["digits"]}, token="correct-horse"))])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(whole), base_url="http://there") as client:
            return await client.request(method, f"{place}{path}", **more)

    bearer, body = {"authorization": "Bearer correct-horse"}, {"rows": X.tolist()}
    found = asyncio.run(ask_there("POST", "/v1/models/digits/score", json=body, headers=bearer))
    assert np.array_equal(np.float32(found.json()["score"]), models["digits"].score_samples(X))
    assert asyncio.run(ask_there("POST", "/v1/models/digits/score", json=body)).status_code == 401
    assert asyncio.run(ask_there("GET", "/readyz")).text == "ready"
