import io
from dataclasses import replace

import pytest
from rich.console import Console

from hourglass.estimators.progress import TrainingProgress
from hourglass.training import Epoch, Plan

PLAN = Plan(max_epochs=200, batch_size=64, optimizer="adam", learning_rate=1e-3, schedule="one-cycle", patience=10)
BY_TIME = replace(PLAN, max_epochs=None, max_seconds=60.0)


def epoch(number, seconds, loss=738.854, validation=739.1):
    return Epoch(number, loss, validation, seconds, 19_565.4, 1e-3)


def shown(plan, epochs, terminal, silent=False, width=80):
    """What is written while training passes the epochs."""
    file = io.StringIO()
    with TrainingProgress(plan, silent, Console(file=file, force_terminal=terminal, width=width, _environ={})) as progress:
        for record in epochs:
            progress.show(record)
    return file.getvalue()


def last_line(text):
    """The line that stays on the terminal, without its control codes."""
    plain = Console(file=io.StringIO(), width=200)
    line = text.replace("\r", "\n").rstrip("\n").splitlines()
    return next(plain.render_str(found).plain for found in map(_uncoded, reversed(line)) if found.strip())


def _uncoded(text):
    import re

    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_terminal_of_80_columns_shows_everything():
    line = last_line(shown(PLAN, [epoch(27, 3.0)], terminal=True))
    assert len(line) <= 80
    assert line.startswith("━")
    assert line.rstrip().endswith(" epoch 27/200, loss 738.85, held out 739.10, 19.6k rows/s, 0:19 left")


def test_large_numbers_fit_too():
    line = last_line(shown(PLAN, [Epoch(100, 12345.678, 12345.678, 3599, 119_565, 1e-3)], terminal=True))
    assert len(line) <= 80
    assert line.rstrip().endswith(" epoch 100/200, loss 12,345.68, held out 12,345.68, 119.6k rows/s, 59:59 left")


def test_what_codes_tell_is_shown_beside_the_loss():
    line = last_line(shown(PLAN, [Epoch(27, 738.854, 739.1, 3.0, 19_565.4, 1e-3, kl=23.41)], terminal=True))
    assert len(line) <= 80
    assert line.rstrip().endswith(" epoch 27/200, loss 738.85, held out 739.10 (KL 23.4), 19.6k rows/s, 0:19 left")


def test_without_held_out_rows_and_without_epochs():
    line = last_line(shown(BY_TIME, [epoch(3, 15.0, validation=None)], terminal=True))
    assert line.rstrip().endswith(" epoch 3, loss 738.85, 19.6k rows/s, 0:45 left")


def test_a_log_gets_a_whole_line_at_each_tenth_of_the_way():
    lines = shown(PLAN, [epoch(i, float(i)) for i in range(1, 201)], terminal=False).splitlines()
    assert [line.split(",")[0] for line in lines] == [f"Training: epoch {i}/200" for i in range(20, 201, 20)]
    assert lines[0] == "Training: epoch 20/200, loss 738.85, held out 739.10, 19.6k rows/s, 3:00 left"


def test_a_short_run_is_one_line_in_a_log():
    text = shown(PLAN, [epoch(i, i / 100) for i in range(1, 201)], terminal=False, width=20)
    assert text == "Training: epoch 200/200, loss 738.85, held out 739.10, 19.6k rows/s, 0:00 left\n"


def test_a_run_that_patience_ends_says_its_last_epoch():
    text = shown(PLAN, [epoch(i, float(i)) for i in range(1, 36)], terminal=False)
    assert [line.split(",")[0] for line in text.splitlines()] == ["Training: epoch 20/200", "Training: epoch 35/200"]


@pytest.mark.parametrize("terminal", [True, False])
def test_silence(terminal):
    assert shown(PLAN, [epoch(i, float(i)) for i in range(1, 201)], terminal, silent=True) == ""


def test_an_error_passes():
    file = io.StringIO()
    with pytest.raises(KeyboardInterrupt), TrainingProgress(PLAN, console=Console(file=file)) as progress:
        progress.show(epoch(1, 1.0))
        raise KeyboardInterrupt
    assert file.getvalue().startswith("Training: epoch 1/200, loss 738.85")


def test_nothing_is_said_before_the_first_epoch():
    assert shown(PLAN, [], terminal=False) == ""
