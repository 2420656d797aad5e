"""Alarms over rows of symbols: what is foretold worst."""

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import roc_auc_score

import hourglass as hg
from hourglass.estimators.detection import symbols
from hourglass.estimators.detection.symbols import SymbolAlarm
from hourglass.estimators.fitted import Fitted

CHANCE = np.random.default_rng(0)
SMALL = {"embedding": 8, "widths": (16,), "hidden": (16,)}


def usual(n):
    """Two to four pairs of letters that belong together."""
    return ["".join(CHANCE.choice(["ab", "cd", "ef"], CHANCE.integers(2, 5))) for _ in range(n)]


def strange(n):
    """The same with a wrong letter, and its place."""
    rows, places = usual(n), []
    for i, row in enumerate(rows):
        place = int(CHANCE.integers(len(row) // 2) * 2 + 1)  # the second of a pair, which the first foretells
        rows[i] = row[:place] + CHANCE.choice(list("abcdef".replace(row[place], ""))) + row[place + 1 :]
        places.append(place)
    return rows, places


@pytest.fixture(scope="module")
def detector():
    networks = {"encoder": hg.OneShot(**SMALL), "decoder": hg.Recurrent(**SMALL, units=32)}
    model = hg.VariationalAutoencoder(hg.Variational(4, beta=0.1), **networks, max_epochs=40, random_state=0)
    return hg.AnomalyDetector(model, alarm_rate=0.05, random_state=0).fit(usual(400))


def test_an_encoder_of_rows_of_one_length_is_never_given_rows_that_were_cut():
    rows = ["ab"] * 40 + ["abcdefgh"]
    model = hg.Autoencoder(2, encoder="dense", decoder=hg.Causal(**SMALL), batch_size=8, max_epochs=1, random_state=0).fit(rows)
    assert model.transform(rows).shape == (41, 2)


@pytest.mark.filterwarnings("ignore::hourglass.HourglassWarning")
def test_of_rows_that_were_learned_from_a_detector_holds_counts_alone(monkeypatch):
    learn, asked = symbols.learn, []

    def noted(model, kind, counted, *rest):
        asked.append(counted)
        return learn(model, kind, counted, *rest)

    monkeypatch.setattr(symbols, "learn", noted)
    det = hg.AnomalyDetector(max_epochs=1, random_state=0).fit(usual(50))
    assert [tuple(counted.shape) for counted in asked] == [(40, len(symbols.symbols_of(det.kind_)))]
    assert (asked[0].sum(1) >= 4).all()  # each has two pairs at least


def test_wrong_letters_are_flagged_and_named(detector):
    rows, places = strange(100)
    scores = -detector.score_samples([*usual(200), *rows])
    assert roc_auc_score([0] * 200 + [1] * 100, scores) > 0.95
    assert (detector.predict(usual(200)) == -1).mean() < 0.15
    told = detector.explain(rows, most=1)
    assert told.columns == ["row", "p_value", "column", "share", "observed", "expected", "reason"]
    assert told.height > 80
    right = [column == f"position {places[row]}" for row, column in told.select("row", "column").iter_rows()]
    assert np.mean(right) > 0.9
    row, seen, reason = told.select("row", "observed", "reason").row(0)
    assert seen == rows[row][places[row]]
    assert reason.startswith(f"position {places[row]}: {seen} where ")
    assert {"reason1", "reason2"} <= set(detector.alarms(rows[:5], reasons=2).columns)
    assert not detector.drift(usual(200)).drifted
    assert detector.drift(rows).drifted


def test_shares_and_nats_by_hand(detector):
    row, _ = strange(1)
    x = detector.kind_.to_tensor(np.array(row, dtype=object))
    watch = detector.model_
    with torch.inference_mode():
        nats = watch.errors(watch.scaling(x))[0]
    symbols = min(len(row[0]) + 1, 8)  # with the end, where there is one
    assert ((nats > 0).sum(), (nats[symbols:] == 0).all()) == (symbols, True)
    terms = torch.log(torch.stack([nats.sum() / symbols, nats.max()]) + 1e-6)
    expected = torch.logsumexp((terms - watch.alarm.centre) / watch.alarm.scale, 0)
    assert -detector.score_samples(row)[0] == pytest.approx(float(expected), rel=1e-4)
    told = detector.set_alarm_rate(0.5).explain(row)
    detector.set_alarm_rate(0.05)
    assert told["share"].sum() == pytest.approx(1)
    assert told["share"][0] == pytest.approx(float(nats.max() / nats.sum()), rel=1e-4)


def test_terms_by_hand():
    alarm = SymbolAlarm((0, 1), 3)
    terms = alarm.terms(torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0, 0.5, 0.5, 0.0]]))
    np.testing.assert_allclose(terms, np.log([[2 / 4, 1.0]]), atol=1e-5)


def test_a_file_gives_the_same_alarms(detector, tmp_path):
    rows, _ = strange(20)
    detector.save(tmp_path / "d.safetensors")
    again = hg.load(tmp_path / "d.safetensors")
    np.testing.assert_array_equal(again.score_samples(rows), detector.score_samples(rows))
    assert again.explain(rows).equals(detector.explain(rows))
    assert "rows raised an alarm" in hg.report(again, rows, tmp_path / "r.html").read_text()


def test_with_nothing_set():
    table = pl.DataFrame({"smiles": ["CC(C)=O", "CC(=O)O", "C1CCCCC1", "CC#N"] * 40})
    detector = hg.AnomalyDetector(max_epochs=1, random_state=0).fit(table)
    assert detector.kind_.name == "molecule"
    assert detector.estimator_.bottleneck == hg.Variational(16, beta=0.2, warmup=0.3)
    assert detector.p_values(["CC(=O)O"]).shape == (1,)


def test_callbacks_see_each_epoch():
    seen = []
    hg.AnomalyDetector(max_epochs=2, random_state=0, callbacks=(lambda model, epoch: seen.append(epoch.epoch),)).fit(usual(800))
    assert seen == [1, 2]


def test_a_symbol_that_one_row_has_stops_no_fit():
    rows = [*usual(60), "xyz" * 8]  # the longest as well
    for seed in range(4):
        detector = hg.AnomalyDetector(max_epochs=1, alarm_rate=0.2, random_state=seed)
        with pytest.warns(hg.HourglassWarning, match="rows tell what is usual"):
            detector.fit(rows)
        assert len(detector.model_.alarm.reference) == 12


def test_a_row_that_is_longer_than_all_others_is_strange_where_rows_may_be():
    rows = [*usual(60), 9 * "ab"]
    model = hg.Autoencoder(2, encoder=hg.OneShot(**SMALL), decoder=hg.OneShot(**SMALL), max_epochs=1, random_state=0)
    lengths = set()
    for seed in range(8):
        found = hg.AnomalyDetector(model, alarm_rate=0.2, contaminated=True, random_state=seed)
        with pytest.warns(hg.HourglassWarning, match="rows tell what is usual"):
            found.fit(rows)
        assert len(found.score_samples(rows[:60])) == 60
        lengths.add(found.kind_.shape[0])
    assert min(lengths) < 18  # it was held out, or left out as the strangest


def test_a_row_longer_than_all_others_raises_an_alarm_and_is_named(detector):
    rows = ["abcd", "abcdabcdab", "ab" * 40]
    assert detector.predict(rows).tolist() == [1, -1, -1]
    told = detector.explain(rows).filter(pl.col("column") == "position 7")
    assert told["observed"].to_list() == ["more than 8 characters"] * 2
    assert detector.predict(["abcdabcz"]).tolist() == [-1]
    assert "a character never seen" in detector.explain(["abcdabcz"])["observed"].to_list()


def test_symbols_never_seen_raise_an_alarm_and_are_named(detector, tmp_path):
    rows = ["abcd", "abcz", "ab\u00e9d", "zzzz"]
    scores = -detector.score_samples(rows)
    assert (scores[1:] > scores[0] + 2).all()
    assert scores[3] > scores[1:3].max()
    assert detector.predict(rows).tolist() == [1, -1, -1, -1]
    told = dict(detector.explain(rows, most=1).select("row", "reason").iter_rows())
    assert told[1].startswith("position 3: a character never seen where d is expected, which costs ")
    assert told[2].startswith("position 2: a character never seen where ")
    assert "a character never seen" in detector.drift(["abcz"] * 100).which
    detector.save(tmp_path / "detector.safetensors")
    np.testing.assert_array_equal(hg.load(tmp_path / "detector.safetensors").score_samples(rows), -scores)
    assert detector.kind_.describe() == "rows of up to 8 characters, 6 different ones"


def test_an_estimator_of_your_own_is_not_taken_for_the_one_of_its_name(monkeypatch):
    monkeypatch.setattr(Fitted, "by_name", dict(Fitted.by_name))

    class VariationalAutoencoder(hg.VariationalAutoencoder):
        pass

    assert Fitted.by_name["VariationalAutoencoder"] is hg.VariationalAutoencoder
    assert Fitted.by_name[f"{__name__}.{VariationalAutoencoder.__qualname__}"] is VariationalAutoencoder
    found = hg.AnomalyDetector(max_epochs=1, alarm_rate=0.1, random_state=0).fit(usual(200))
    assert type(found.estimator_) is hg.VariationalAutoencoder
