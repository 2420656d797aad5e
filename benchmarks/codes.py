"""What codes are worth to whoever works on with them: three figures of scikit-learn, the same for every contestant."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.metrics import normalized_mutual_info_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def worth(train: np.ndarray, y_train: np.ndarray, test: np.ndarray, y_test: np.ndarray) -> dict[str, float]:
    """Accuracy of a linear probe (on standardised codes) and of 10 nearest neighbours (on raw ones), both learnt from
    the train codes and tried on the test codes; mutual information of 10 k-means clusters of the test codes with the digits."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)).fit(train, y_train)
    neighbours = KNeighborsClassifier(10, algorithm="brute").fit(train, y_train)
    clusters = KMeans(10, n_init=10, random_state=0).fit_predict(test)
    return {
        "probe": float(probe.score(test, y_test)),
        "neighbours": float(neighbours.score(test, y_test)),
        "nmi": float(normalized_mutual_info_score(y_test, clusters)),
    }


def trust(images: np.ndarray, codes: np.ndarray, rows: int = 2_000) -> float:
    """Whether the 5 neighbours of an image on the map are its neighbours in truth, on the first ``rows`` images."""
    flat = images[:rows].reshape(len(images[:rows]), -1) / 255
    return float(trustworthiness(flat, codes[:rows], n_neighbors=5))
