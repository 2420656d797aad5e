"""The run folder: what is known of a run is read from its files."""

from __future__ import annotations

import asyncio
import fcntl
import json
import re
import signal
import time
import warnings
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import hourglass as hg
from hourglass.server.studio import page, rows, runs, training, widgets
from hourglass.server.studio.folder import Folder
from hourglass.server.studio.plain import free, free_stem, plain_name
from hourglass.server.studio.runs import Asked, Run, State
from hourglass.server.studio.sources import Source
from hourglass.server.studio.views import learning, more, progress, squeeze, train
from hourglass.server.studio.watching import watch


def test_fields_of_a_later_version_are_left_aside(tmp_path, asked):
    folder = Folder(tmp_path / "studio")
    folder.make()
    run = folder.new_run(asked)
    folder.choose(Source(asked.data, "image"))
    for file in (run.path / "run.json", folder.path / "studio.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"mood": "sunny"}))
    assert [one.asked for one in folder.runs()] == [asked]
    assert folder.source == Source(asked.data, "image")


def test_a_free_name_is_free_with_any_ending(tmp_path):
    assert free_stem(tmp_path / "x") == tmp_path / "x"
    (tmp_path / "x.csv").touch()
    (tmp_path / "x-2").mkdir()
    assert free_stem(tmp_path / "x") == tmp_path / "x-3"
    assert free_stem(tmp_path / "xy") == tmp_path / "xy"


def test_whatever_goes_wrong_is_told_on_the_page(capsys):
    with pytest.raises(hg.HourglassError, match=r"Something is wrong with Hourglass \(ZeroDivisionError: division by zero\)"):
        asyncio.run(widgets.aside(lambda: 1 / 0))
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("said", "here"),
    [
        ("If they are series, say kind='series'.", "If they are series, take them for series, in the view Data."),
        ("say kind='token' (by characters) or kind='words'.", "take it for strings or for texts, in the view Data."),
        ("It is left out; choose otherwise with columns={'id': ...}.", "It is left out; choose otherwise in the view Data."),
        ("Repair that cell, or say columns={'a': 'categorical'} when fitting.", "Repair that cell."),
        ("Got 2: give more, or X_test.", "Got 2: give more."),
        (
            "X has 140 features, but AnomalyDetector is expecting 7 features as input.",
            "Rows have 140 columns here, and 7 where it learned.",
        ),
        ("Give longer ones, or kind=hg.Melodies(bars=1).", "Give longer ones."),
        (
            "Found array with 2 sample(s) (shape=(2, 3)) while a minimum of 10 is required.",
            "These are too few rows: 2, and at least 10 are needed.",
        ),
    ],
)
def test_what_is_typed_in_python_is_told_in_words_of_the_page(said, here):
    assert widgets.in_place(said) == here


def test_no_page_waits_for_work():
    assert not any(asyncio.iscoroutinefunction(view.draw) for view in page.VIEWS)  # else it is an error after three seconds


def until(condition, seconds=60):
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it took too long")


@pytest.fixture
def asked(tmp_path, digits):
    np.save(tmp_path / "digits.npy", digits)
    return Asked(str(tmp_path / "digits.npy"), "compress", 2)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("faces", "faces"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "unnamed"),
        ("/", "unnamed"),
        ("a\x00b\n", "a-b"),
        ("Röntgen 2.png", "Röntgen-2.png"),
        (".hidden", "hidden"),
        ("x" * 100, "x" * 60),
    ],
)
def test_names_are_one_part_of_a_path(typed, name):
    assert plain_name(typed) == name


def test_a_taken_name_gets_a_number(tmp_path):
    for name in ("a.csv.gz", "a-2.csv.gz"):
        (tmp_path / name).touch()
    assert free(tmp_path / "a.csv.gz").name == "a-3.csv.gz"
    assert free(tmp_path / "b").name == "b"


def test_runs_are_found_by_name_alone(folder, asked):
    run = folder.new_run(asked, "../out")
    assert run.path.parent == folder.path / "runs"
    assert folder.run("out") == run
    assert folder.run("../runs/out") is None
    assert folder.run("..") is None
    assert folder.new_run(asked, "../out").name == "out-2"


def test_what_was_chosen_is_remembered(folder):
    assert folder.source is None
    folder.choose(Source("wine.csv", "table", {"zip": "categorical"}))
    assert Folder(folder.path).source == Source("wine.csv", "table", {"zip": "categorical"})


def test_a_run_that_has_not_begun_waits(folder, asked):
    run = folder.new_run(asked)
    assert (run.name, run.state, run.sentence, run.epochs()) == ("digits-compress", State.waiting, "", [])
    assert run.asked == asked


def test_a_run_trains_on_its_own_and_is_found_again_and_stopped(folder, asked):
    """Another page, or another studio after a restart, knows of it from the files; to stop it keeps the best."""
    long = Asked(asked.data, "compress", 2, options={"max_seconds": 600})
    folder.new_run(long, "long").start()
    found = Folder(folder.path).run("long")
    assert found.state is State.training
    until(lambda: len(found.epochs()) > 1 and found.preview)
    assert found.epochs()[0]["epoch"] == 1
    assert 0 <= found.epochs()[0]["share"] < 0.5
    assert len(found.preview["after"]) == 8
    found.stop()
    until(lambda: found.state is not State.training)
    assert found.state is State.stopped
    assert found.result["warnings"] == []
    assert found.result["figures"]["numbers kept"] == "2"
    assert found.model().transform(hg.read(asked.data)).shape == (60, 2)
    assert hg.read(found.path / "codes.parquet").shape == (60, 2)
    until(lambda: not found._locked())  # its process has ended


@pytest.fixture
def here(monkeypatch):
    """What a run's process does, done in this one, which is left as it was."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    before = signal.getsignal(signal.SIGINT)
    yield lambda run: training.main(str(run.path))
    signal.signal(signal.SIGINT, before)


def test_what_went_wrong_is_a_sentence(folder, tmp_path, here):
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n1,2,3\n")
    run = folder.new_run(Asked(str(tmp_path / "bad.csv"), "compress", 1))
    here(run)
    assert run.state is State.failed
    assert (
        run.sentence == f"Line 3 of '{tmp_path}/bad.csv' has 3 fields where the first line has 2. Check its separators and quotes."
    )


def test_a_need_that_data_has_no_answer_to_is_a_sentence(folder, tmp_path, here):
    (tmp_path / "letters.txt").write_text("a\nb\n" * 10)
    run = folder.new_run(Asked(str(tmp_path / "letters.txt"), "sweep"))
    here(run)
    assert run.sentence.startswith("No bottleneck of the sweep (2) is below the number of features, 1.")


def test_strings_are_squeezed_as_well(folder, tmp_path, here):
    (tmp_path / "names.txt").write_text("anna\nbert\ncarola\n" * 10)
    run = folder.new_run(Asked(str(tmp_path / "names.txt"), "sweep", options={"max_epochs": 2}))
    here(run)
    drawn = json.loads((run.path / "sweep.json").read_text())
    assert (run.state, drawn["measure"], drawn["features"]) == (State.done, "right", 6)
    assert list(drawn["rebuilt"]) == ["1", "2", "3", "4", "5"]
    for row in drawn["figures"]:
        assert row["lost"] == pytest.approx(1 - row["survives"])
    assert drawn["words"][0] not in (so_far := squeeze.html(drawn, finished=False))  # nothing is recommended yet
    assert "<h2>So far</h2>" in so_far and squeeze.BEST not in so_far
    page = squeeze.html(drawn, finished=True)
    assert squeeze.BEST in page
    assert "6 symbols become" in page
    assert "of the symbols come back right" in page
    assert "carola" in page


def test_series_below_one_another_are_squeezed_whole(folder, tmp_path, here):
    beats = np.sin(np.linspace(0, 6, 30) + np.random.default_rng(0).normal(0, 1, (20, 1)))
    long = pl.DataFrame({"beat": np.repeat(np.arange(20), 30), "at": np.tile(np.arange(30), 20), "volt": beats.ravel()})
    long.write_csv(tmp_path / "beats.csv")
    columns = {"beat": "id", "at": "time", "volt": "value"}
    source = Source(str(tmp_path / "beats.csv"), "series", columns)
    assert squeeze._can_be_squeezed(source)
    run = folder.new_run(Asked(source.data, "sweep", None, "series", columns, {"max_epochs": 1}))
    here(run)
    assert run.sentence == ""
    drawn = json.loads((run.path / "sweep.json").read_text())
    assert drawn["features"] == 30
    assert [len(drawn["original"]), len(drawn["original"][0]), len(drawn["original"][0][0])] == [
        4,
        1,
        30,
    ]  # series, channels, samples
    assert list(drawn["rebuilt"]) == ["2", "4", "8", "16"]


def test_one_record_in_a_table_is_not_squeezed(folder, tmp_path, here):
    pl.DataFrame({"time": np.arange(400), "pump": np.sin(np.arange(400) / 9)}).write_csv(tmp_path / "pump.csv")
    assert not squeeze._can_be_squeezed(Source(str(tmp_path / "pump.csv"), "series"))
    run = folder.new_run(Asked(str(tmp_path / "pump.csv"), "sweep", None, "series"))
    here(run)
    assert run.sentence.startswith("A sweep takes rows, and this is one long record.")


def test_samples_are_asked_for_by_a_column(folder, tmp_path, here):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"kind": ["a", "b"] * 30, "x": rng.normal(size=60), "y": rng.normal(size=60)})
    frame.write_csv(tmp_path / "two.csv")
    run = folder.new_run(Asked(str(tmp_path / "two.csv"), "generate", 2, options={"condition": "kind", "max_epochs": 2}))
    here(run)
    assert (run.state, run.result["levels"]) == (State.done, ["a", "b"])
    assert hg.read(run.path / "samples.csv").shape == (60, 2)
    assert run.preview["before"][0].keys() == {"x", "y"}


@pytest.mark.filterwarnings("always::hourglass.HourglassWarning")
def test_bad_rows_are_left_out_where_that_is_asked_for(folder, tmp_path, here):
    (tmp_path / "some.smi").write_text("CCO\nCCN\nCCC\n" * 14 + "not_one\n")
    asked = Asked(str(tmp_path / "some.smi"), "compress", 2, "molecule", options={"max_epochs": 1})
    run = folder.new_run(asked)
    here(run)
    assert (run.state, run.sentence) == (
        State.failed,
        "Row 42, 'not_one', is no molecule that RDKit can read. Leave it out, or mend it.",
    )
    run = folder.new_run(replace(asked, skip_bad=True))
    here(run)
    assert run.state is State.done
    assert hg.read(run.path / "codes.parquet").height == 42
    assert run.result["warnings"][0].startswith("1 of 43 rows of")


def test_damage_is_shown_beside_what_was_mended(folder, tmp_path, digits, here):
    np.save(tmp_path / "d.npy", digits)
    run = folder.new_run(Asked(str(tmp_path / "d.npy"), "clean", 8, options={"damage": "noise:50", "max_epochs": 1}))
    here(run)
    assert len(run.preview["clean"]) == len(run.preview["before"]) == len(run.preview["after"]) == 8
    assert run.preview["clean"] != run.preview["before"] != run.preview["after"]
    assert run.preview["clean"] == rows.values("image", digits[[0, 8, 17, 25, 34, 42, 51, 59]])  # from all over the data


def test_a_wfdb_record_is_cleaned(folder, tmp_path, here):
    pytest.importorskip("wfdb")
    (100 * np.sin(np.arange(2000) / 9)).astype("<i2").tofile(tmp_path / "r1.dat")
    (tmp_path / "r1.hea").write_text("r1 1 360 2000\nr1.dat 16 200/mV 16 0 0 0 0 I\n")
    run = folder.new_run(Asked(str(tmp_path / "r1.hea"), "clean", 8, options={"damage": "white:0.3", "max_epochs": 1}))
    here(run)
    assert (run.state, hg.load(run.path / "model.safetensors").kind_.rate) == (State.done, 360)


@pytest.mark.filterwarnings("always::hourglass.HourglassWarning")
def test_what_is_shown_of_a_record_is_a_window_at_least(folder, tmp_path, here):
    minutes = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 9), "1m", eager=True)
    days = pl.DataFrame({"time": minutes, "load": np.sin(np.arange(len(minutes)) * 2 * np.pi / 1440)})  # a window is a day
    days.write_csv(tmp_path / "days.csv")
    run = folder.new_run(Asked(str(tmp_path / "days.csv"), "compress", 2, "series", options={"max_epochs": 1}))
    here(run)
    assert hg.load(run.model_path).kind_.raw_shape[0] > 1440
    (channels,) = run.preview["after"]
    assert len(channels[0]) > 200  # of more samples than are shown else, every seventh


@pytest.mark.filterwarnings("always::hourglass.HourglassWarning")
def test_the_rate_that_a_detector_promises_is_no_lower_than_it_can(folder, tmp_path, digits, here):
    np.save(tmp_path / "few.npy", digits[:20, ::4, ::4].reshape(20, -1))
    run = folder.new_run(Asked(str(tmp_path / "few.npy"), "flag", options={"max_epochs": 1}))
    here(run)
    least = hg.load(run.model_path).model_.alarm.least_rate
    assert least > 0.05
    assert run.result["figures"]["false alarms promised"] == f"{least:.1%}"
    assert run.result["words"][0].endswith(f"Of new rows that are usual, {least:.1%} would.")


@pytest.mark.filterwarnings("always::hourglass.HourglassWarning")
def test_what_is_warned_of_at_each_width_is_told_once(folder, tmp_path, here):
    pl.DataFrame({"id": [f"c{i}" for i in range(40)], **{name: np.arange(40) % 7.5 for name in "abc"}}).write_csv(
        tmp_path / "t.csv"
    )
    run = folder.new_run(Asked(str(tmp_path / "t.csv"), "sweep", options={"max_epochs": 1}))
    here(run)
    assert [words[:27] for words in run.result["warnings"]] == ["Column 'id' is an identifier"[:27]]


def test_only_what_changed_is_marked():
    shown = {"kind": "table", "clean": [{"a": "1"}], "before": [{"a": ""}], "after": [{"a": "2"}]}
    clean, damaged, mended = learning.pairs(shown).split("<h3>")[1:]
    assert ("changed" in clean, "changed" in damaged, "changed" in mended) == (False, False, True)
    waves = {"kind": "series", "before": [[[0.0, 1.0]]], "after": [[[0.0, 0.5]]]}
    assert learning.pairs(waves).startswith('<p class="note">Dashed: as they are. Solid: as it redraws them.</p>')


def test_a_run_that_trains_is_not_started_again(folder, asked):
    run = folder.new_run(Asked(asked.data, "compress", 2, options={"max_seconds": 600}))
    run.start()
    process = (run.path / "lock").read_text()
    (run.path / "stage.txt").write_text("Learning")
    run.start()
    assert (run.stage, (run.path / "lock").read_text()) == ("Learning", process)
    run.stop()  # most likely before it has read a row
    until(lambda: run.state is not State.training)
    assert run.state is State.stopped or run.sentence.startswith("It was stopped before there was anything to keep.")


def test_who_looks_at_a_run_is_not_taken_for_who_trains(folder, asked):
    run = folder.new_run(asked)
    with (run.path / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)  # another studio that looks at the same moment
        assert run.state is State.failed


def test_a_run_that_ends_while_it_is_looked_at_has_not_failed(folder, asked, monkeypatch):
    run = folder.new_run(asked)
    lock = (run.path / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)

    def read_before_it_ended(path):
        lock.close()
        return {}

    monkeypatch.setattr(runs, "read_json", read_before_it_ended)
    assert run.state is State.training
    monkeypatch.setattr(runs, "read_json", lambda path: {"stopped": False})
    assert run.state is State.done


def test_a_sweep_that_is_stopped_keeps_the_widths_that_are_done(folder, tmp_path, digits, here, monkeypatch):
    np.save(tmp_path / "d.npy", digits)
    run = folder.new_run(Asked(str(tmp_path / "d.npy"), "sweep", options={"max_epochs": 2}))

    def interrupted(run, show, **beside):
        note = watch(run, show, **beside)

        def look(estimator, epoch):
            note(estimator, epoch)
            if beside["width"] == 4:
                raise KeyboardInterrupt

        return look

    monkeypatch.setattr(training, "watch", interrupted)
    here(run)
    assert run.state is State.stopped
    assert {record["width"] for record in run.epochs()} == {2, 4}
    assert list(json.loads((run.path / "sweep.json").read_text())["rebuilt"]) == ["2"]


def test_a_process_that_ended_without_a_word_has_failed(folder, asked):
    run = folder.new_run(asked)
    (run.path / "lock").write_text("1")
    assert run.state is State.failed
    assert run.sentence.startswith("The training ended without a word")


def test_a_model_that_a_command_wrote_is_a_run(folder, digits):
    path = folder.path / "runs" / "mine" / runs.MODEL
    hg.VariationalAutoencoder(2, max_epochs=1, random_state=0).fit(digits).save(path)
    run = folder.run("mine")
    assert (run.state, run.asked.need) == (State.done, "generate")
    assert folder.runs("generate") == [run]
    assert folder.runs("flag") == []


def test_half_a_line_of_progress_is_left_for_later(folder, asked):
    run = folder.new_run(asked)
    (run.path / "progress.jsonl").write_text(json.dumps({"epoch": 1}) + "\n" + '{"epoch": 2, "tr')
    assert run.epochs() == [{"epoch": 1}]


def test_each_look_at_progress_reads_what_is_new_alone(folder, asked):
    run = folder.new_run(asked)
    log, path = run.log(), run.path / "progress.jsonl"
    assert log.read() == []
    path.write_text('{"epoch": 1}\n{"epo')
    assert log.read() == [{"epoch": 1}]
    path.write_text('{"epoch": 9}\n{"epoch": 2}\n{"epoch": 3}\n')  # had it read the first line again, it would be another
    assert log.read() == [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}]
    assert log.read() == [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}]


def test_curves_of_many_epochs_have_few_points():
    epochs = [{"epoch": i + 1, "train": 1 / (i + 1), "validation": None} for i in range(20_000)]
    drawn = re.search('points="([^"]*)"', learning.losses(epochs)).group(1).split()
    assert len(drawn) == learning.MOST_POINTS
    assert (drawn[0].split(",")[0], drawn[-1].split(",")[0]) == ("0.00", "100.00")


def test_a_run_can_be_removed(folder, asked):
    run = folder.new_run(asked)
    run.remove()
    assert folder.runs() == []
    assert not Run(run.path).path.exists()


def test_a_run_that_is_deleted_while_it_is_looked_at_does_no_harm(folder, asked):
    run = folder.new_run(asked)
    run.remove()
    assert (run.asked_at, run.stage, run.sentence, run.state) == (0, "Starting", "", State.waiting)
    with pytest.raises(hg.HourglassError, match=r"model\.safetensors"):
        run.model()


def test_what_was_made_is_downloaded_and_what_could_not_be_is_told(folder, asked, monkeypatch):
    run, fetched, told = folder.new_run(asked), [], []
    monkeypatch.setattr(progress.ui.context.__class__, "client", SimpleNamespace(download=fetched.append))
    monkeypatch.setattr(progress.w, "notice", told.append)

    def refused():
        raise hg.FileError("The disk is full.")

    asyncio.run(progress.fetch(run, nullcontext(), lambda name: run.path / "made" / name, "a b.csv"))
    asyncio.run(progress.fetch(run, nullcontext(), refused))
    assert (fetched, told) == ([f"/files/{run.name}/made/a%20b.csv"], ["The disk is full."])


def test_a_long_name_keeps_its_ending():
    assert plain_name("measurements-" * 6 + "cleaned.csv.gz").endswith(".csv.gz")
    assert plain_name("m" * 80 + ".csv") == "m" * 56 + ".csv"
    assert len(plain_name("m" * 80 + ".a-very-long-ending-that-is-none")) <= 60


def test_a_folder_has_changed_when_a_file_in_it_has(tmp_path):
    folder = tmp_path / "days"
    folder.mkdir()
    (folder / "a.csv").write_text("x,y\n1,2\n3,4\n")
    source = Source(str(folder))
    assert source.read()["x"].to_list() == [1, 3]
    before = folder.stat().st_mtime_ns
    (folder / "a.csv").write_text("x,y\n5,2\n3,4\n")
    assert folder.stat().st_mtime_ns == before
    assert source.read()["x"].to_list() == [5, 3]


def test_a_link_to_nothing_does_no_harm(tmp_path):
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "a.csv").write_text("x,y\n1,2\n3,4\n")
    (tmp_path / "days" / "gone.csv.old").symlink_to(tmp_path / "nowhere")
    assert Source(str(tmp_path / "days")).read()["x"].to_list() == [1, 3]
    assert Source("x" * 300).changed == 0


@pytest.mark.filterwarnings("ignore::hourglass.HourglassWarning")  # so little is learned
def test_a_level_is_asked_for_as_it_is_written(folder, asked):
    towns = pl.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0) % 7})
    run = folder.new_run(asked)
    model = hg.VariationalAutoencoder(1, max_epochs=1, random_state=0)
    model.fit(towns, condition=pl.Series(["0150", "0152"] * 20)).save(run.model_path)
    (run.path / "result.json").write_text(json.dumps({"levels": ["0150", "0152"]}))
    drawn = more._drawn(run, {"n": 3, "level": "0150"})
    assert drawn == run.path / "made" / "samples-3-0150.csv"
    assert hg.read(drawn).height == 3
    with pytest.raises(hg.HourglassError, match="The model knows no condition '\u00b2'"):
        more._drawn(run, {"n": 3, "level": "\u00b2"})
    with pytest.raises(hg.HourglassError, match="Say of which level: this model draws what is asked for"):
        more._drawn(run, {"n": 3, "level": ""})


def test_a_model_that_can_not_be_read_is_a_run_that_failed(tmp_path):
    broken, whole = tmp_path / "runs" / "broken", tmp_path / "runs" / "whole"
    broken.mkdir(parents=True)
    whole.mkdir()
    (broken / "model.safetensors").write_bytes(b"nothing of the sort")
    hg.Autoencoder(2, hidden=(4,), max_epochs=1).fit(np.random.default_rng(0).normal(size=(40, 4))).save(
        whole / "model.safetensors"
    )
    assert {run.name: run.state for run in Folder(tmp_path).runs()} == {"broken": State.failed, "whole": State.done}


def test_more_of_one_name_goes_beside(tmp_path):
    (tmp_path / "made").mkdir()
    run = Run(tmp_path)
    first = more._free(run, "samples-3")
    first.with_name("samples-3.csv").write_text("")
    (tmp_path / "made" / "samples-30.csv").write_text("")
    assert more._free(run, "samples-3").name == "samples-3-2"


def test_damage_is_offered_by_the_kind_of_data(tmp_path, digits):
    np.save(tmp_path / "d.npy", digits)
    pl.DataFrame({"a": [1.5, 2.5, 3.5], "b": [1.0, 2.0, 4.0]}).write_csv(tmp_path / "t.csv")
    kinds = [
        train._kind(Source(str(tmp_path / name), kind)) for name, kind in (("d.npy", None), ("t.csv", None), ("t.csv", "series"))
    ]
    assert kinds == ["image", "table", "series"]
    assert train.DAMAGES["table"] == {"": "missing cells"}
    for damage in (damage for offered in train.DAMAGES.values() for damage in offered if damage):
        hg.corruption(damage)
