"""The detector beside the classical ones."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

import hourglass as hg
from hourglass.analysis.comparison import _threshold

rng = np.random.default_rng(0)
MIXING = rng.normal(size=(3, 8))
USUAL, NEW = (rng.normal(size=(n, 3)) @ MIXING + 0.1 * rng.normal(size=(n, 8)) for n in (600, 400))
BROKEN = NEW.copy()
BROKEN[:, 4] = rng.permutation(BROKEN[:, 4])
LABELS = np.r_[np.zeros(400), np.ones(400)]
QUICK = hg.AnomalyDetector(max_epochs=1, random_state=0)


@pytest.fixture(scope="module")
def found():
    return hg.compare_detectors(USUAL, np.r_[NEW, BROKEN], LABELS, detector=hg.AnomalyDetector(max_epochs=5, random_state=0))


def test_with_labels_the_best_comes_first(found):
    assert set(found.frame["detector"]) == {"Hourglass", "5 nearest neighbours", "isolation forest", "PCA"}
    assert found.frame["auroc"].is_sorted(descending=True)
    assert (found.frame["false_alarms"] < 0.12).all()
    forest = found.frame.filter(detector="isolation forest")["auroc"].item()
    assert forest < found.frame.filter(detector="Hourglass")["auroc"].item()


def test_nearest_neighbours_are_those_of_scikit_learn(found):
    x = QUICK.fit(USUAL).model_.scaling(torch.from_numpy(np.r_[USUAL, NEW, BROKEN])).float().numpy()
    learned = x[:600][np.random.default_rng(0).permutation(600)[120:]]
    distances = NearestNeighbors(n_neighbors=5).fit(learned).kneighbors(x[600:])[0].mean(1)
    ours = found.frame.filter(detector="5 nearest neighbours")["auroc"].item()
    assert ours == pytest.approx(roc_auc_score(LABELS, distances), abs=1e-6)


@pytest.mark.parametrize(("n", "above"), [(19, 1), (21, 1), (38, 1), (39, 2), (99, 5), (101, 5)])
def test_a_new_row_is_above_the_threshold_of_n_others_with_the_chance_that_is_set(n, above):
    between = np.arange(n + 1) - 0.5  # the places, alike likely, that a new score has among n
    assert (between > _threshold(np.random.default_rng(0).permutation(n))).sum() == above <= 0.05 * (n + 1)


def test_a_simpler_one_that_wins_is_said():
    far = rng.normal(size=(300, 2)) + 30
    usual, rows = rng.normal(size=(300, 2)), np.r_[rng.normal(size=(300, 2)), far]
    found = hg.compare_detectors(usual, rows, np.r_[np.zeros(300), np.ones(300)], detector=QUICK)
    assert found.verdict.endswith("does as well here (1.000 against 1.000), and is simpler.")


def test_without_labels():
    found = hg.compare_detectors(USUAL, BROKEN, detector=QUICK)
    assert found.frame["auroc"].null_count() == 4
    assert found.verdict.startswith("Without labels nobody can say")


@pytest.mark.parametrize("y", [np.zeros(400), np.arange(400), [0, 1]])
def test_labels_that_are_none(y):
    with pytest.raises(hg.DataError, match="y needs a label for each of the 400 rows of X_test, 0 for usual and 1 for strange"):
        hg.compare_detectors(USUAL, BROKEN, y)


def test_labels_of_the_steps_of_a_record(sentence):
    record = hg.Record(np.sin(np.arange(600) / 5), rate=10)
    assert sentence(hg.DataError, hg.compare_detectors, record, record, np.arange(600) % 2) == (
        "A comparison judges the windows of this long record, and labels are of rows. "
        "Give its windows as rows (n, time, channels), or no labels."
    )


def test_a_seed_may_be_larger_than_scikit_learn_takes():
    assert "isolation forest" in hg.compare_detectors(USUAL, NEW, detector=QUICK, random_state=2**32).frame["detector"].to_list()
