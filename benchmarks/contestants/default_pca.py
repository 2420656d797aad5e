"""scikit-learn's PCA at the same number of codes: the best that a linear autoencoder can do."""

from sklearn.decomposition import PCA

from benchmarks.codes import worth
from benchmarks.common import CODES, SEED, Stopwatch, mnist, mse, pixels, report

x_train, y_train, x_test, y_test = mnist("x_train", "y_train", "x_test", "y_test")
x = pixels(x_train)

with Stopwatch() as watch:
    model = PCA(CODES, random_state=SEED).fit(x)

codes = model.transform(pixels(x_test))
report(
    fit_s=watch.seconds,
    test_mse=mse(x_test, model.inverse_transform(codes)),
    **worth(model.transform(x), y_train, codes, y_test),
)
