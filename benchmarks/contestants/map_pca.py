"""The first two principal components."""

from sklearn.decomposition import PCA

from benchmarks.codes import trust
from benchmarks.common import SEED, Stopwatch, mnist, pixels, report

x_train, x_test = mnist("x_train", "x_test")
x = pixels(x_train)

with Stopwatch() as watch:
    model = PCA(2, random_state=SEED).fit(x)

report(fit_s=watch.seconds, trustworthiness=trust(x_test, model.transform(pixels(x_test))))
