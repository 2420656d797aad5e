"""The table of works: who takes part, which figures are compared with whom, and the target of each.

A new work is a ``Work`` here and a script for each contestant in ``contestants/``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A promise: ``holds(ours, ratio)``, where the ratio says how many times better than the peer Hourglass is."""

    text: str
    holds: Callable[[float, float], bool]


def times_better(factor: float) -> Target:
    return Target(f"at least {factor:g}x", lambda ours, ratio: ratio >= factor)


def within(fraction: float) -> Target:
    return Target(f"within {fraction:.0%}", lambda ours, ratio: abs(1 / ratio - 1) <= fraction)


def at_most(limit: float) -> Target:
    return Target(f"at most {limit:g}", lambda ours, ratio: ours <= limit)


def at_least(limit: float) -> Target:
    return Target(f"at least {limit:g}", lambda ours, ratio: ours >= limit)


def between(low: float, high: float) -> Target:
    return Target(f"{low:.1%} to {high:.1%}", lambda ours, ratio: low <= ours <= high)


NO_WORSE = times_better(1)


@dataclass(frozen=True)
class Row:
    """One figure of Hourglass, beside the same figure of one peer. Without a target it is shown and nothing is promised."""

    title: str
    figure: str  # a key of the line that the contestants print; wall_s, cpu_s and peak_mb are measured from outside
    peer: str | None = None
    target: Target | None = None
    better: Callable[[float, float], bool] = operator.lt  # which way is good: operator.gt where more is better

    def ratio(self, ours: float, theirs: float) -> float:
        """How many times better than the peer."""
        more, less = (theirs, ours) if self.better is operator.lt else (ours, theirs)
        return more / less if less else math.inf


@dataclass(frozen=True)
class Work:
    name: str
    title: str
    contestants: dict[str, str]  # label -> script in contestants/ and its arguments; "Hourglass" is always one of them
    rows: tuple[Row, ...]
    side_by_side: bool = False  # whether the contestants share the machine in place of taking turns, as it takes hours


def beside(figure: str, title: str) -> tuple[Row, ...]:
    """Our figure beside that of every peer among the detectors, which it shall be above."""
    return tuple(Row(title, figure, name, NO_WORSE, operator.gt) for name in PEERS)


def cleaning(
    name: str, title: str, given: str, *, filters: tuple[str, ...], seconds: int = 300, extra: tuple[Row, ...] = ()
) -> Work:
    """A work on pictures: the data and the damage that both are given, and the classical filters that have to be beaten."""
    contestants = {
        "Hourglass": f"clean_hourglass {given} {seconds}",
        **{name: f"clean_classical {given} {name}" for name in filters},
    }
    rows = [
        Row(words, figure, name, NO_WORSE, operator.gt)
        for figure, words in (("psnr", "PSNR, dB"), ("ssim", "SSIM"))
        for name in filters
    ]
    return Work(name, title, contestants, (*rows, *extra))


PEERS = ("AutoEncoder", "VAE", "DeepSVDD", "LUNAR", "IForest", "ECOD", "COPOD", "KNN", "LOF", "PCA", "OCSVM", "GMM")
CLASSIC = ("Keras", "pythae", "PyOD")
BEAT_PEERS = ("AutoEncoder", "PCA4", "KNN")
FILTERS = ("Savitzky-Golay", "Butterworth")
IMAGE_PEERS = ("AutoEncoder", "PCA", "KNN")
PROPERTIES = ("logp", "qed", "weight")

WORKS = (
    Work(
        "article",
        "784-32-784 on MNIST, 20 epochs",
        {name: f"article_{name.lower()}" for name in ("Hourglass", *CLASSIC)},
        (
            *(Row("whole process, s", "wall_s", peer, times_better(n)) for peer, n in zip(CLASSIC, (5, 8, 12), strict=True)),
            *(Row("fit alone, s", "fit_s", peer) for peer in CLASSIC),
            *(Row("test error (MSE)", "test_mse", peer, within(0.02) if peer == "Keras" else None) for peer in CLASSIC),
            *(Row("peak memory, MB", "peak_mb", peer) for peer in CLASSIC),
        ),
    ),
    Work(
        "roofline",
        "the same fit against this machine's own matrix product",
        {"Hourglass": "roofline_hourglass"},
        (
            Row("fit over its multiply-adds at the square rate", "times_floor", target=at_most(2.5)),
            Row("fit over its multiply-adds at the net's own shapes", "times_skinny"),
            Row("square rate, GFLOP/s", "gflops"),
            Row("rate at the net's own shapes, GFLOP/s", "skinny_gflops"),
        ),
    ),
    Work(
        "time-to-error",
        "32 codes, until Keras's final test error",
        {"Hourglass": "time_to_error_hourglass", "Keras": "article_keras"},
        (
            Row("whole process, s", "wall_s", "Keras", times_better(10)),
            Row("fit alone, s", "fit_s", "Keras"),
            Row("test error (MSE)", "test_mse", "Keras", NO_WORSE),
        ),
    ),
    Work(
        "default",
        "Autoencoder(32).fit(x_train), nothing set",
        {"Hourglass": "default_hourglass", "PCA": "default_pca"},
        (
            Row("test error (MSE)", "test_mse", "PCA", at_most(0.0058)),
            Row("fit alone, s", "fit_s", target=at_most(60)),
            Row("linear probe, accuracy", "probe", "PCA", NO_WORSE, operator.gt),
            Row("10 nearest neighbours, accuracy", "neighbours", "PCA", NO_WORSE, operator.gt),
            Row("k-means, mutual information", "nmi", "PCA", NO_WORSE, operator.gt),
        ),
    ),
    Work(
        "map",
        "Autoencoder(2).fit(x_train), nothing set",
        {"Hourglass": "map_hourglass", "PCA": "map_pca"},
        (
            Row("trustworthiness", "trustworthiness", "PCA", NO_WORSE, operator.gt),
            Row("fit alone, s", "fit_s"),
        ),
    ),
    *(
        Work(
            f"convolution-{name}",
            f"a convolutional autoencoder on {title}",
            {peer: f"convolution_{peer.lower()} {name}" for peer in ("Hourglass", "Keras", "pythae")},
            (
                Row("images a second in training", "images_per_s", "Keras", times_better(2), operator.gt),
                Row("images a second in training", "images_per_s", "pythae", times_better(3), operator.gt),
                Row("test error (MSE)", "test_mse", "Keras"),
                Row("test error (MSE)", "test_mse", "pythae"),
            ),
        )
        for name, title in (("digits", "60,000 digits of 28 x 28"), ("faces", "2,700 faces of 64 x 64"))
    ),
    Work(
        "scoring",
        "1 million digits scored by the article's net",
        {"Hourglass": "scoring_hourglass", "PyOD": "scoring_pyod"},
        (
            Row("rows a second", "rows_per_s", "PyOD", times_better(5), operator.gt),
            Row("peak of the process above its input, MB", "above_input_mb", "PyOD", at_most(300)),
            Row("memory that scoring itself adds, MB", "scoring_mb", "PyOD"),
        ),
    ),
    Work(
        "export",
        "60,000 digits scored by an exported detector with 32 codes",
        {"Hourglass": "export_hourglass onnx", "the library": "export_hourglass library"},
        (
            Row("rows a second of onnxruntime", "rows_per_s", "the library", NO_WORSE, operator.gt),
            Row("largest difference of a score, of 1 and the score", "off", target=at_most(1e-4)),
            Row("alarms that differ", "other_alarms", target=at_most(0)),
            Row("exporting it, s", "export_s"),
        ),
    ),
    Work(
        "adbench",
        "23 tables of ADBench, trained on half of the usual rows",
        {"Hourglass": "adbench_hourglass", **{name: f"adbench_pyod {name}" for name in PEERS}},
        (
            *beside("auroc", "mean AUROC"),
            *beside("aupr", "mean AUPR"),
            Row("AUROC above that of 5 nearest neighbours, mean", "above_knn_auroc", target=at_least(0.015)),
            Row("AUPR above that of 5 nearest neighbours, mean", "above_knn_aupr", target=at_least(0.025)),
            Row("the same of AUROC, median", "median_above_knn_auroc"),
            Row("the same of AUPR, median", "median_above_knn_aupr"),
            Row("tables of 23 with a higher AUROC", "wins_auroc"),
            Row("tables of 23 with a higher AUPR", "wins_aupr"),
            Row("fit and score, median table, s", "median_s", target=at_most(5)),
            Row("fit and score, slowest table, s", "slowest_s", target=at_most(20)),
            Row("false alarms at 5%, pooled", "false_alarms_5", target=between(0.042, 0.058)),
            Row("false alarms at 1%, pooled", "false_alarms_1", target=between(0.008, 0.013)),
        ),
    ),
    Work(
        "dirt",
        "tables of ADBench, up to a tenth of the training rows strange",
        {"Hourglass": "dirt_hourglass", "PyOD": "dirt_pyod"},
        (
            Row("AUROC after dirty training", "dirty", "PyOD", NO_WORSE, operator.gt),
            Row("AUROC lost to dirt", "lost", "PyOD", NO_WORSE),
            Row("AUROC after clean training", "clean", "PyOD", better=operator.gt),
        ),
    ),
    Work(
        "cards",
        "card transactions, trained on 60% of the usual rows",
        {"Hourglass": "cards_hourglass", **{name: f"cards_pyod {name}" for name in PEERS}},
        (*beside("auroc", "AUROC"), *beside("ap", "average precision"), Row("fit and score, s", "seconds", "AutoEncoder")),
    ),
    Work(
        "castings",
        "pump castings of 64 x 64 pixels, trained on good ones",
        {"Hourglass": "castings_hourglass", **{name: f"castings_pyod {name}" for name in IMAGE_PEERS}},
        (
            Row("AUROC", "auroc", target=at_least(0.95)),
            *(Row("AUROC", "auroc", name, NO_WORSE, operator.gt) for name in IMAGE_PEERS),
            Row("fit and score, s", "seconds", "AutoEncoder", at_most(300)),
            Row("false alarms at 5%", "false_alarms_5"),
            Row("defective castings found at 5%", "found_5"),
        ),
    ),
    Work(
        "cards-full",
        "284,807 card transactions",
        {"Hourglass": "cards_full_hourglass", "PyOD": "cards_full_pyod"},
        (
            Row("fit alone, s", "fit_s", "PyOD", at_most(60)),
            Row("scoring all rows, s", "score_s", "PyOD", at_most(10)),
            Row("peak memory, MB", "peak_mb", "PyOD", at_most(1500)),
        ),
    ),
    Work(
        "stream",
        "hourglass detect on a Parquet of 5 GB",
        {"Hourglass": "stream_hourglass"},
        (
            Row("rows a second", "rows_per_s", target=at_least(200_000)),
            Row("peak memory, MB", "detect_mb", target=at_most(1000)),
        ),
    ),
    cleaning(
        "photos",
        "photos with noise of 25 grey levels, 30 minutes of training",
        "set12 noise25",
        seconds=1800,
        filters=("BM3D", "NLM", "TV", "wavelets"),
        extra=(
            Row("PSNR, dB", "psnr", target=at_least(30.0)),
            Row("cleaned, megapixels a second", "mp_per_s", "BM3D", times_better(10), operator.gt),
            Row("cleaned, megapixels a second", "mp_per_s", target=at_least(2)),
        ),
    ),
    Work(
        "photos-quick",
        "the same noise, 5 minutes of training",
        {"Hourglass": "clean_hourglass set12 noise25 300"},
        (Row("PSNR, dB", "psnr", target=at_least(29.7)),),
    ),
    Work(
        "blind",
        "one model of noise of 5 to 50 grey levels, beside one for each level",
        {"Hourglass": "blind_hourglass"},
        tuple(Row(f"dB behind at {level}", f"behind_{level}", target=at_most(0.15)) for level in (15, 25, 50)),
    ),
    cleaning("speckle", "photos with speckle of 0.2", "middles speckle", filters=("log-NLM",)),
    cleaning("saltpepper", "photos with salt and pepper on a tenth", "middles saltpepper", filters=("median",)),
    cleaning("both", "photos with both of these", "middles both", filters=("median-log-NLM",)),
    cleaning("blur", "photos blurred by 2 pixels, with a little noise", "middles blur", filters=("Wiener", "Richardson-Lucy")),
    cleaning("pixels", "photos with half of the pixels erased", "middles pixels", filters=("linear", "biharmonic")),
    cleaning("half", "photos with a half erased", "middles half", filters=("linear", "biharmonic")),
    cleaning("xrays", "chest X-rays with noise of 25 grey levels", "xrays noise25", filters=("BM3D", "NLM"), seconds=180),
    cleaning("xrays-half", "chest X-rays with a half erased", "xrays half", filters=("linear", "biharmonic"), seconds=180),
    *(
        Work(
            name,
            f"{title} autoencoder of Burda et al., 30 minutes of training",
            {"Hourglass": f"burda_hourglass {k} 1800"},
            (
                Row("negative log-likelihood, nats a digit", "nats", target=at_most(limit)),
                Row("standard error of it, from the samples", "standard_error"),
                Row("epochs", "epochs"),
                Row("fit alone, s", "fit_s"),
                Row("estimating it, s", "judging_s"),
            ),
        )
        for name, title, k, limit in (("burda", "the variational", 1, 86.35), ("burda-5", "the importance-weighted", 5, 85.2))
    ),
    Work(
        "vae-speed",
        "a variational autoencoder 784-200-200-50 on MNIST",
        {"Hourglass": "vae_speed_hourglass", "pythae": "vae_speed_pythae"},
        (
            Row("epochs an hour in training", "epochs_per_hour", "pythae", times_better(5), operator.gt),
            Row("log-likelihood of 5,000 samples, digits a second", "digits_per_s", "pythae", times_better(20), operator.gt),
        ),
    ),
    Work(
        "digits-samples",
        "10,000 samples of digits over the features of a classifier",
        {
            "Hourglass": "digits_samples_hourglass",
            "VAE": "digits_samples_pythae vae",
            "mixture": "digits_samples_pythae mixture",
        },
        (
            *(Row("Fréchet distance", "frechet", name, NO_WORSE) for name in ("VAE", "mixture")),
            Row("Fréchet distance of samples of the prior", "prior_frechet"),
            *(
                Row(figure, figure, name, better=operator.gt)
                for figure in ("precision", "recall", "density", "coverage")
                for name in ("VAE", "mixture")
            ),
            Row("fit alone, s", "fit_s", "VAE"),
        ),
    ),
    Work(
        "synthetic-cards",
        "a synthetic table of card transactions",
        {"Hourglass": "synthetic_cards_hourglass", "TVAE": "synthetic_cards_ctgan"},
        (
            Row("trained on it, AUROC on real ones", "auroc", "TVAE", NO_WORSE, operator.gt),
            Row("the same trained on real ones", "auroc_of_real"),
            Row("column shapes", "shapes", "TVAE", NO_WORSE, operator.gt),
            Row("pair correlations", "pairs", "TVAE", better=operator.gt),
            Row("fit alone, s", "fit_s", "TVAE", times_better(5)),
        ),
    ),
    Work(
        "melodies",
        "windows of two bars of folk tunes, 10 minutes of training",
        {"Hourglass": "melodies_hourglass"},
        (
            Row("held out and new, rebuilt exactly", "exact", target=at_least(0.6)),
            Row("of their symbols", "symbols"),
            Row("of those that begin a note", "notes", target=at_least(0.9)),
            Row("what codes tell of a window, nats", "kl"),
            Row("samples, notes in key", "in_key", target=at_least(0.97)),
            *(
                Row(f"total variation of {of} to tunes held out", of, target=at_most(0.06))
                for of in ("pitch", "interval", "duration")
            ),
            Row("half bars repeated, over what tunes do", "repetition", target=between(0.5, 1.5)),
            Row("samples that stand in a training tune", "known"),
        ),
    ),
    Work(
        "molecules",
        "molecules of ZINC, an hour of training",
        {"Hourglass": "molecules_hourglass", "GRU": "molecules_gru"},
        (
            Row("held out, rebuilt exactly", "exact", target=at_least(0.6)),
            Row("held out, rebuilt exactly", "exact", "GRU", better=operator.gt),
            Row("what codes tell of a molecule, nats", "kl", "GRU", better=operator.gt),
            Row("what codes tell of a molecule, nats", "kl", target=at_least(20)),
            Row("lost when codes are shuffled, nats", "shuffled", "GRU", better=operator.gt),
            Row("molecules a second in training", "molecules_per_s", "GRU", times_better(3), operator.gt),
            Row("samples that are unique", "unique", "GRU", at_least(0.99), operator.gt),
            Row("of those, new", "novel", "GRU", at_least(0.99), operator.gt),
            Row("samples with a ring of 8 atoms or more", "large_rings", "GRU", at_most(0.03)),
            *(Row(f"distance of {name} to the data, deviations", f"{name}_distance", "GRU", at_most(0.3)) for name in PROPERTIES),
            Row("internal diversity of samples", "internal_diversity", "GRU", better=operator.gt),
            *(
                Row(f"similarity of {name} to the data's", f"{name}_similarity", "GRU", better=operator.gt)
                for name in ("fragment", "scaffold")
            ),
            Row("similarity to the nearest molecule held out", "nearest_similarity", "GRU", better=operator.gt),
            Row("samples that pass the filters PAINS and BRENK", "passed_filters", "GRU", better=operator.gt),
        ),
        side_by_side=True,
    ),
    Work(
        "beats",
        "heartbeats, trained on the usual ones of 500",
        {"Hourglass": "beats_hourglass", **{name: f"beats_peer {name}" for name in BEAT_PEERS}},
        (
            Row("AUROC", "auroc", target=at_least(0.993)),
            *(Row("AUROC", "auroc", name, NO_WORSE, operator.gt) for name in BEAT_PEERS),
            Row("F1 at the default alarm rate", "f1", target=at_least(0.965)),
            Row("false alarms, of 5% promised", "false_alarms"),
            Row("AUROC with another gain, offset and rate for each beat", "auroc_other"),
            Row("fit and score, s", "seconds", "AutoEncoder", at_most(20)),
        ),
    ),
    Work(
        "nab",
        "the series of NAB, trained on the first 15% of each",
        {"Hourglass": "nab_hourglass", "PCA": "nab_peer PCA", "PyOD-PCA": "nab_peer PyOD-PCA"},
        (
            *(Row("AUROC of steps, mean", "auroc", name, NO_WORSE, operator.gt) for name in ("PCA", "PyOD-PCA")),
            *(Row("VUS-PR, mean", "vus_pr", name, NO_WORSE, operator.gt) for name in ("PCA", "PyOD-PCA")),
            Row("all 58 series, s", "seconds", target=at_most(600)),
        ),
    ),
    Work(
        "record",
        "a day at 500 Hz, trained on an hour",
        {"Hourglass": "record_hourglass"},
        (
            Row("scoring 43 million samples, s", "score_s", target=at_most(60)),
            Row("memory that scoring adds, MB", "above_mb"),
            Row("of it the scores themselves, MB", "of_scores_mb"),
            Row("samples a second of a stream", "stream_per_s", target=at_least(100_000)),
            Row("largest difference of stream and batch", "stream_off", target=at_most(1e-5)),
            Row("false alarms at 1%", "false_alarms_1"),
            Row("false alarms at 0.1%", "false_alarms_01"),
        ),
    ),
    Work(
        "promise",
        "twelve made hearts, half an hour each, after the quarter of an hour learned from",
        {"Hourglass": "promise_hourglass"},
        (
            Row("false alarms at 5%, mean", "false_alarms_5", target=between(0.042, 0.058)),
            Row("its standard error", "error_5"),
            Row("false alarms at 1%, mean", "false_alarms_1", target=between(0.008, 0.013)),
            Row("its standard error", "error_1"),
        ),
    ),
    *(
        Work(
            f"beats-{kind}",
            f"heartbeats with {words}",
            {"Hourglass": f"clean_beats_hourglass {kind}", **{name: f"clean_beats_classical {kind} {name}" for name in FILTERS}},
            (*(Row("signal to noise, dB", "snr", name, NO_WORSE, operator.gt) for name in FILTERS), Row("before, dB", "before")),
        )
        for kind, words in (("white", "white noise"), ("wander", "a wandering baseline"), ("hum", "the hum of the mains"))
    ),
    Work(
        "service",
        "64 connections for 60 s, each asking for the score of one digit after the other",
        {"Hourglass": "service_hourglass", "FastAPI": "service_fastapi"},
        (
            Row("scored rows a second", "rows_per_s", target=at_least(2000)),
            Row("scored rows a second", "rows_per_s", "FastAPI", times_better(5), operator.gt),
            Row("99% are answered within, ms", "p99_ms", "FastAPI", at_most(100)),
            Row("errors", "errors", target=at_most(0)),
            Row("processor time of a row, ms", "row_cpu_ms", "FastAPI"),
        ),
    ),
    Work(
        "studio",
        "the studio's map of 100,000 digits in headless Chromium",
        {"Hourglass": "studio_hourglass"},
        (
            Row("first paint of 100,000 points, s", "paint_s", target=at_most(3)),
            Row("the same with no code known yet, s", "cold_paint_s"),
            Row("longest frame while panning, ms", "longest_frame_ms", target=at_most(100)),
            Row("median frame while panning, ms", "frame_ms"),
            Row("click to decoded picture, median of 50, ms", "click_ms", target=at_most(100)),
            Row("click to decoded picture, slowest, ms", "slowest_click_ms"),
        ),
    ),
    Work(
        "import",
        "the cost of starting",
        {"Hourglass": "import_hourglass"},
        (
            Row("import hourglass beyond bare Python, s", "import_s", target=at_most(0.1)),
            Row("hourglass --help, s", "help_s", target=at_most(0.5)),
        ),
    ),
)

CHIEF = (  # of which README.md has a line
    *("article", "default", "adbench", "cards", "castings", "photos", "xrays", "beats", "digits-samples", "synthetic-cards"),
    *("melodies", "molecules", "service"),
)
