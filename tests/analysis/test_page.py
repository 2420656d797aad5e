import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import hourglass as hg
from hourglass.analysis import diagnosis, plots
from hourglass.analysis.model_page import headline
from hourglass.analysis.page import duration, parts
from hourglass.estimators import patches

RNG = np.random.default_rng(0)
EVIL = "<script>alert(1)</script> \"'><img src=x onerror=alert(1)> --> {{ 7 * 7 }}"


class Page(HTMLParser):
    """The tags, the attributes and the words of a page; every tag that is opened must be closed."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags, self.attributes, self.words, self.open = [], [], "", []
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not set(self.open) & {"style", "svg", "title"}:
            self.words += data + " "

    @property
    def text(self):
        return " ".join(self.words.split())

    @property
    def terms(self):
        return re.findall(r"<dt>(.*?)</dt>", self.source)

    @property
    def headings(self):
        return re.findall(r"<h2>(.*?)</h2>", self.source)


def page_of(path, *args, **kwargs):
    assert hg.report(*args[:2], path / "r.html", *args[2:], **kwargs) == path / "r.html"
    return Page(path / "r.html")


def assert_self_contained(page):
    assert not set(page.tags) & {"script", "link", "iframe", "object", "embed", "form", "base", "img"}
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href", "srcset", "action"):
            assert value.startswith(("#", "data:image/png;base64,"))
        elif not name.startswith("xmlns"):
            assert "://" not in value
    style = "".join(re.findall(r"<style>.*?</style>", page.source, re.DOTALL))
    assert "@import" not in style
    assert "://" not in style
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)", page.source))


@pytest.fixture(scope="session")
def full(images, swept_images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    return page_of(folder, images.model, images.X_test, y=images.y_test, sweep=swept_images, title="Digits")


def test_the_page_holds_all_it_shows(full):
    assert_self_contained(full)
    assert full.tags.count("svg") == 6
    assert full.tags.count("title") == 1
    assert full.source.startswith("<!DOCTYPE html>\n<html lang")


def test_identifiers_are_unique_to_their_picture(full):
    named = [value for name, value in full.attributes if name == "id"]
    pointed = [value[1:] for name, value in full.attributes if name in ("href", "xlink:href") and value.startswith("#")]
    assert set(pointed) <= set(named)
    assert {name.split("-")[0] for name in named} == {"before_and_after", "code_map", "errors", "training", "widths", "by_width"}


def test_pictures_wear_the_page_s_colours(full):
    assert "#24292f" not in re.sub(r"<style>.*?</style>", "", full.source, flags=re.DOTALL)
    assert "var(--ink)" in full.source
    assert "prefers-color-scheme: dark" in full.source


def test_images_with_labels_and_a_sweep(full, images, swept_images):
    measured = hg.metrics.reconstruction(images.model, images.X_test)
    assert full.headings == [
        "Before and after",
        "How many numbers it takes",
        "The same images at each width",
        "The map of the codes",
        "Where it errs",
        "How it learned",
        "How the model was made",
    ]
    said = f"8 numbers in place of 196: {measured['explained_variance']:.1%} of what makes the images differ survives"
    assert f"Digits {said} An autoencoder is" in full.text
    for card in (
        "Compression 24.5 : 1 196 numbers become 8 numbers",
        f"Explained variance {measured['explained_variance']:.1%} of the differences between images survives",
        f"Mean squared error {measured['mse']:#.3g} of pixels from 0 to 1; less is better",
        f"PSNR {measured['psnr']:.1f} dB peak signal over noise; more is better",
        f"SSIM {measured['ssim']:.3f} similarity as the eye sees it; 1 is perfect",
    ):
        assert card in full.text
    took = duration(images.model.history_[-1]["seconds"])
    assert re.search(rf"Training {took} \d+ times over the data, [\d,]+ images a second", full.text)
    assert "All figures are measured on 60 images." in full.text
    assert f"{swept_images.comparison} Recommended: {swept_images.recommended}. {swept_images.reason}" in full.text
    for row in swept_images.frame.iter_rows(named=True):
        assert re.search(
            rf"{row['codes']}\s*{row['mse']:#.3g}\s*{row['explained_variance']:.1%}\s*{row['pca_explained_variance']:.1%}",
            full.words,
        )
    assert "The colours are labels that the model has never seen." in full.text
    assert "so this is a shadow of the real arrangement" in full.text
    assert (
        "Kind of data image: an array of shape (60, 14, 14) is 60 pictures Measured on 60 images (14 x 14 grey images)" in full.text
    )
    assert "Settings Autoencoder(bottleneck=8, hidden=(64,), max_epochs=30, random_state=0) Seed 0 Versions Hourglass" in full.text


def test_pictures_of_many_channels_are_said_to_be_drawn_as_their_mean(full, tmp_path):
    rng = np.random.default_rng(0)
    many = rng.random((200, 1, 1, 6), np.float32) * np.ones((1, 12, 12, 1), np.float32)
    ae = hg.Autoencoder(2, max_epochs=1, random_state=0).fit(many)
    said = "The upper line shows images {}, the lower line the same ones rebuilt"
    assert said.format("as the mean of their 6 channels") in page_of(tmp_path, ae, many).text
    assert said.format("as they came") in full.text
    det = hg.AnomalyDetector(alarm_rate=0.1, random_state=0).fit(many)
    many[0, 2:5, 2:5, 4] = 1
    page = hg.report(det, many, tmp_path / "alarms.html").read_text()
    assert "first one in the table. What is drawn of a picture is the mean of its 6 channels." in page


def test_a_table_without_labels(table, tmp_path):
    page = page_of(tmp_path, table.model, table.X_test)
    assert_self_contained(page)
    assert page.tags.count("svg") == 4
    assert "Hourglass report: a table of 13 numeric columns" in page.text
    assert page.headings == [
        "Before and after",
        "The map of the codes",
        "Where it errs",
        "How it learned",
        "How the model was made",
    ]
    assert "PSNR" not in page.text
    assert "of columns in standard deviations; less is better" in page.text
    assert "The warmer the colour, the worse the model rebuilds it." in page.text
    assert "Below are the columns that it loses most of." in page.text
    assert re.search(r"Encoder squeezes \d Linear, \d LayerNorm, [\d,]+ weights Bottleneck is the waist 4 numbers", page.text)


def test_a_sweep_of_a_table_says_where_pca_is_better(swept, table, tmp_path):
    page = page_of(tmp_path, swept.models[2], table.X_test, sweep=swept)
    assert swept.comparison in page.text
    assert "The same rows at each width" in page.headings
    assert "shadow" not in page.text  # two codes are shown as they are


def test_a_sparse_model(sparse, table, tmp_path):
    page = page_of(tmp_path, sparse, table.X_test)
    assert "3 of 10 numbers in place of 13:" in page.text
    assert "Compression 4.33 : 1 13 numbers become 3 of 10 numbers" in page.text
    assert "Bottleneck is the waist 3 of 10 numbers, TopK(n=10, k=3)" in page.text


def test_a_model_of_own_networks_without_a_history(wine, tmp_path):
    model = hg.Autoencoder(
        2,
        encoder=nn.Linear(13, 2),
        decoder=nn.Linear(2, 13),
        corruption=hg.Noise(0.1),
        likelihood=hg.Gaussian("shared"),
        max_epochs=1,
    ).fit(wine)
    model.history_ = []
    page = page_of(tmp_path, model, wine)
    assert "How it learned" not in page.headings
    assert "training" not in {name.split("-")[0] for name, value in page.attributes if name == "id"}
    assert "Training" not in page.terms
    assert "Corruption damages rows on purpose while training Noise(std=0.1) Encoder squeezes 1 Linear, 28 weights" in page.text
    assert "Likelihood says how far off the result is learned gaussian, Gaussian(variance='shared')" in page.text
    assert "Seed none, so another fit gives other numbers" in page.text


def test_one_row(images, table, tmp_path):
    page = page_of(tmp_path, images.model, images.X_test[:1])
    assert "All figures are measured on a single image." in page.text
    assert "8 numbers in place of 196 An autoencoder" in page.text
    assert page.terms[:3] == ["Compression", "Mean squared error", "PSNR"]
    assert "nan" not in page.text
    assert "Measured on 1 image (14 x 14 grey images)" in page.text
    page_of(tmp_path, table.model, table.X_test[:1], y=["only"])


def test_a_saved_model_gives_the_same_figures(images, full, tmp_path):
    images.model.save(tmp_path / "m.safetensors")
    page = page_of(tmp_path, hg.load(tmp_path / "m.safetensors"), images.X_test)
    assert re.findall(r'<dd class="value">(.*?)</dd>', page.source) == re.findall(r'<dd class="value">(.*?)</dd>', full.source)


def test_words_of_strangers_are_escaped(tmp_path):
    X = pd.DataFrame(RNG.normal(size=(20, 3)), columns=[EVIL, "--><script>", "$x"])
    model = hg.Autoencoder(1, hidden=(4,), max_epochs=1, random_state=0).fit(X)
    found = hg.sweep(X, bottlenecks=[1], estimator=hg.Autoencoder(hidden=(4,), max_epochs=1), random_state=0)
    page = page_of(tmp_path, model, X, title=EVIL, y=[EVIL, "</svg><b>"] * 10, sweep=found)
    assert_self_contained(page)
    assert EVIL in page.text
    assert "<script" not in page.source
    assert "<b>" not in page.source


def test_data_comes_as_a_path(table, tmp_path):
    table.X_test.to_csv(tmp_path / "x.csv", index=False)
    assert "measured on 38 rows" in page_of(tmp_path, table.model, tmp_path / "x.csv").text


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.5, "50.0% of what"),
        (1.0, "100.0% of what"),
        (0.9999, "over 99.9% of what"),
        (0.0, "nothing of what"),
        (-3, "nothing of what"),
    ],
)
def test_the_headline_is_honest(images, share, said):
    assert headline(images.model, share) == f"8 numbers in place of 196: {said} makes the images differ survives"


def test_the_page_is_written_whole_or_not_at_all(images, tmp_path, monkeypatch, sentence):
    (tmp_path / "r.html").write_text("old")

    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "write_text", refuse)
        said = sentence(hg.FileError, hg.report, images.model, images.X_test[:5], tmp_path / "r.html")
    assert said == f"Can't write '{tmp_path / 'r.html'}': No space left on device. Choose another folder or free some space."
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    assert (tmp_path / "r.html").read_text() == "old"


def test_a_page_of_another_ending_is_refused(images, tmp_path, sentence):
    assert sentence(hg.FileError, hg.report, images.model, images.X_test, tmp_path / "r.pdf") == (
        f"Can't write a page to '{tmp_path / 'r.pdf'}'. Name a file that ends in .html."
    )


def test_bad_data_leaves_no_page(images, tmp_path, sentence):
    assert sentence(hg.DataError, hg.report, images.model, images.X_test, tmp_path / "r.html", y=[1]) == (
        "Labels are one a row, so 60 of them in one dimension. Got an array of shape (1,)."
    )
    assert list(tmp_path.iterdir()) == []


# Of detectors

USUAL = np.random.default_rng(0).normal(size=(400, 4))


@pytest.fixture(scope="module")
def detector():
    return hg.AnomalyDetector(alarm_rate=0.05, max_epochs=3, random_state=0).fit(USUAL)


def test_alarms_are_told_with_their_reasons(detector, tmp_path):
    new = np.random.default_rng(1).normal(size=(300, 4))
    new[7, 2] = 60
    alarms = int((detector.predict(new) == -1).sum())
    page = hg.report(detector, new, tmp_path / "alarms.html").read_text()
    assert f"<h1>{alarms} of 300 rows raised an alarm</h1>" in page
    assert "x2 is 60, expected" in page
    assert "neither the scores nor any column has moved" in page
    assert "placed by its scaled numbers, which the detector compares it by" in page
    assert page.count("<svg") == 4


def test_drift_and_a_simpler_detector_are_told(detector, tmp_path):
    moved = np.random.default_rng(1).normal(size=(300, 4)) + np.array([0, 2, 0, 0])
    comparison = hg.compare_detectors(USUAL, moved, np.arange(300) % 2, detector=hg.AnomalyDetector(max_epochs=1, random_state=0))
    page = hg.report(detector, moved, tmp_path / "alarms.html", comparison=comparison).read_text()
    assert "Moved have: x1." in page
    assert comparison.verdict in page


def test_rows_without_an_alarm(detector, tmp_path):
    page = hg.report(detector, np.zeros((40, 4)) + 0.01 * USUAL[:40], tmp_path / "alarms.html").read_text()
    assert "0 of 40 rows raised an alarm" in page
    assert "The strangest rows" not in page
    assert "0 of 1 row raised an alarm" in hg.report(detector, np.zeros((1, 4)), tmp_path / "alarms.html").read_text()


@pytest.mark.filterwarnings("ignore:Only")
def test_alarms_of_tunes_are_told_of_windows(tmp_path):
    tunes = [hg.Melody([(60 + i, 0, 4), (62, 4, 4), (64, 8, 4), (65, 12, 4), (67, 16, 8), (69, 24, 8)]) for i in range(12)] * 8
    small = hg.OneShot(embedding=4, widths=(8,), hidden=(8,))
    model = hg.Autoencoder(2, kind=hg.Melodies(1), encoder=small, decoder=small, max_epochs=1)
    detector = hg.AnomalyDetector(model, alarm_rate=0.1, random_state=0).fit(tunes)
    found = detector.alarms(tunes[:5])
    page = hg.report(detector, tunes[:5], tmp_path / "alarms.html").read_text()
    assert found.height == 10
    assert f"<h1>{found['alarm'].sum()} of 10 melodies raised an alarm</h1>" in page
    assert f"{found['alarm'].mean():.2%}" in page


def test_alarms_of_images(tmp_path):
    digits = hg.datasets.load("digits").x_train[:300]
    found = hg.AnomalyDetector(hg.Autoencoder(8, max_epochs=1), random_state=0).fit(digits)
    page = hg.report(found, 255 - digits[:40], tmp_path / "alarms.html").read_text()
    assert "40 of 40 images raised an alarm" in page
    assert "of each new image it says" in page.lower()
    assert "The strangest pictures" in page
    assert "times the peak of a usual picture" in page
    assert "What has moved" not in page
    assert "The map of the images" in page
    assert page.count("<svg") == 3


# A model that mends


def cleaner(corruption, X):
    settings = {"encoder": hg.Restorer((8,), blocks=1, patch=16), "batch_size": 16, "max_epochs": 2, "random_state": 0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "STEPS", 4)
        return hg.DenoisingAutoencoder(corruption=corruption, **settings).fit(X)


def test_a_model_that_mends_is_put_to_the_test(images, tmp_path):
    model = cleaner("noise:60", images.X)
    page = page_of(tmp_path, model, images.X_test)
    assert_self_contained(page)
    assert page.headings == ["Before and after", "Where it errs", "How it learned", "How the model was made"]
    generator = torch.Generator().manual_seed(0)
    clean = images.X_test.astype(np.float32) / 255
    noisy = np.stack([hg.Noise(60 / 255)(torch.from_numpy(picture)[None, None], generator)[0, 0].numpy() for picture in clean])
    mended = model.denoise(noisy)
    (before, after), (alike_before, alike) = (
        [np.mean([measure(clean[i : i + 1], other[i : i + 1]) for i in range(60)]) for other in (noisy, mended)]
        for measure in (hg.metrics.psnr, hg.metrics.ssim)
    )
    gone = 1 - hg.metrics.mse(clean, mended) / hg.metrics.mse(clean, noisy)
    assert f"From {before:.1f} to {after:.1f} dB: {gone:.1%} of the damage is mended" in page.text
    assert f"PSNR {after:.1f} dB {before:.1f} dB before; more is better" in page.text
    assert f"SSIM {alike:.3f} {alike_before:.3f} before; 1 is perfect" in page.text
    assert hg.self_check(noisy, mended).words in page.text
    assert "A mended picture is no evidence." in page.text
    assert "60 pictures were damaged in the same way" in page.text
    assert "Bottleneck is the waist none: all passes" in page.text


def test_a_model_that_fills_in_shows_what_was_erased(images, tmp_path):
    page = page_of(tmp_path, cleaner("half:left", images.X), [picture[: 14 - i] for i, picture in enumerate(images.X_test[:4])])
    assert "What was erased is shown as grey." in page.text
    assert "4 pictures were damaged in the same way" in page.text
    assert "What was removed" not in page.text


def test_a_model_that_learned_from_noise_alone_has_no_truth(images, tmp_path):
    model = cleaner("blindspot:0.1", images.X)
    page = page_of(tmp_path, model, images.X_test[:5])
    assert page.headings == ["Before and after", "How it learned", "How the model was made"]
    clean = images.X_test[:5].astype(np.float32) / 255
    check = hg.self_check(clean, model.denoise(clean))
    assert check.words in page.text
    assert abs(check.correlation) > 0.15
    assert f"{255 * check.std:.1f} grey levels, not of noise alone, were taken out of 5 pictures" in page.text
    assert "What was erased" not in page.text
    assert "taken out of 1 picture" in page_of(tmp_path, model, images.X_test[:1]).text
    assert "No clean pictures are known" in page.text
    assert "dB" not in page.text


def test_what_is_no_picture_has_no_page(images, tmp_path, sentence):
    model = cleaner("noise:60", images.X)
    said = "There are no pictures, so there is nothing to mend. Give at least one."
    assert sentence(hg.DataError, hg.report, model, images.X[:0], tmp_path / "r.html") == said


def test_a_variational_model_shows_samples_and_what_is_wrong(variational, images, tmp_path):
    page = page_of(tmp_path, variational, images.X_test)
    assert_self_contained(page)
    assert page.headings[1:4] == ["New images", "What the codes stand for", "Is anything wrong?"]
    found = hg.diagnose(variational, images.X_test)
    assert found.figures[0] in page.text
    for finding in found.findings or ("Nothing is wrong that shows in these figures.",):
        assert finding in page.text


def test_a_variational_model_of_a_table_and_of_a_single_row(variational_table, table, tmp_path):
    assert "New rows" in page_of(tmp_path, variational_table, table.X_test).headings
    assert "Is anything wrong?" not in page_of(tmp_path, variational_table, table.X_test[:1]).headings


def test_a_model_with_a_condition_is_shown_with_it(images, tmp_path, sentence):
    kinds = np.array(["a", "b"] * 30)
    model = hg.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(images.X[:60], condition=kinds)
    page = page_of(tmp_path, model, images.X[:60], condition=kinds)
    assert page.headings[1] == "New images"
    error = hg.metrics.mse(images.X[:60] / 255, model.reconstruct(images.X[:60], kinds) / 255)
    assert f"{error:#.3g}" in page.text
    assert hg.metrics.reconstruction(model, images.X[:60], kinds)["mse"] == pytest.approx(error, rel=1e-5)
    assert sentence(hg.ParameterError, hg.report, model, images.X[:60], tmp_path / "r.html") == (
        "This VariationalAutoencoder was fitted with a condition (condition). Say condition=, one for each row or one for all."
    )


def test_a_condition_for_a_model_without_one(images, tmp_path, sentence):
    assert sentence(hg.ParameterError, hg.report, images.model, images.X[:60], tmp_path / "r.html", condition="a") == (
        "The model was fitted without a condition, so its page can't be given one. Leave condition= out."
    )


def test_a_page_of_molecules(chemical, tmp_path):
    known = ["CCO", "Cc1ccccc1", "C1CCCCC1", "CCN"]
    page = page_of(tmp_path, chemical, known)
    assert_self_contained(page)
    share, doctor = hg.metrics.exact(chemical, known), hg.diagnose(chemical, known)
    longest = chemical.kind_.shape[0]
    assert f"4 numbers in place of {longest} symbols: {share:.1%} of the molecules come back without a fault" in page.text
    for card in (
        f"Exact {share:.1%} of the molecules are rebuilt without a fault",
        f"Lost {-chemical.score_samples(known).mean():.1f} nats of a row",
        f"Told {doctor.kl:.1f} nats that the codes tell of a row",
        f"Shuffled {doctor.worth:.1f} nats more are lost",
    ):
        assert card in page.text
    assert page.headings[:3] == ["Before and after", "New molecules", "What the codes stand for"]
    assert "Below each stands the one of the molecules on this page that is nearest to it" in page.text


def test_a_page_of_strings(tmp_path):
    lines = ["abba", "abab", "baba", "bab", "aabb", "ab"] * 5
    small = hg.OneShot(embedding=4, widths=(8,), hidden=(8,))
    model = hg.Autoencoder(3, encoder=small, decoder=small, max_epochs=2, random_state=0).fit(lines)
    page = page_of(tmp_path, model, lines)
    assert f"Exact {hg.metrics.exact(model, lines):.1%} of the rows are rebuilt without a fault" in page.text
    assert "New rows" not in page.headings
    assert "Told" not in page.text
    page_of(tmp_path, model, lines[:1])  # of a single one little can be said
    assert "What differs from the original is in orange." in page.text
    page = page_of(tmp_path, model.fit_sampler(lines, "mixture", random_state=0), lines)
    assert "by the symbols that would have to be changed" in page.text


def test_letters_that_no_font_has_are_drawn_without_a_warning(tmp_path):
    lines = ["\U0001f600 smile", "\u05e9\u05dc\u05d5\u05dd", "tab\there"] * 5
    small = hg.OneShot(embedding=4, widths=(8,), hidden=(8,))
    model = hg.Autoencoder(2, kind="token", encoder=small, decoder=small, max_epochs=1, random_state=0).fit(lines)
    assert page_of(tmp_path, model, lines).text
    drawn = {text.get_text() for text in plots.reconstructions(model, lines, n=3).axes[0].texts}
    assert {"\U0001f600 smile", "\u05e9\u05dc\u05d5\u05dd", "tab\N{REPLACEMENT CHARACTER}here"} <= drawn


def test_what_several_pictures_need_is_computed_once(tmp_path, monkeypatch):
    lines, asked, small = ["ab", "ba", "bab"] * 5, [], hg.OneShot(embedding=4, widths=(8,), hidden=(8,))
    model = hg.Autoencoder(2, encoder=small, decoder=small, max_epochs=1, random_state=0).fit(lines)
    nats, worths, shuffled = type(model).score_samples, diagnosis._worths, []
    monkeypatch.setattr(type(model), "score_samples", lambda self, *given: asked.append(given) or nats(self, *given))
    monkeypatch.setattr(diagnosis, "_worths", lambda *given: shuffled.append(given) or worths(*given))
    page = page_of(tmp_path, model.fit_sampler(lines, "mixture", random_state=0), lines)
    assert f"Lost {-nats(model, lines).mean():.1f} nats" in page.text
    assert (len(asked), len(shuffled)) == (1, 1)
    drawn = plots.errors(model, lines), plots.code_map(model, lines)  # each by itself
    assert len(asked) == 1 + len(drawn)


def test_the_damage_of_a_cleaner_is_named_though_it_was_not_asked_for():
    rows = np.random.default_rng(0).normal(size=(40, 4))
    model = hg.DenoisingAutoencoder(2, hidden=(), max_epochs=1, random_state=0).fit(rows)
    named = {name: value for name, _, value in parts(model)}
    assert named["Corruption"] == str(model.model_.corruption) != "none"
    assert {name: value for name, _, value in parts(hg.Autoencoder(2, hidden=(), max_epochs=1).fit(rows))}["Corruption"] == "none"
