"""What a long step tells while it works: a bar on a terminal, a line a minute in a log."""

import io
import os
import select
import time

import pytest

from genreatlas import progress as module
from genreatlas.progress import progress, tracked


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is set."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_line_says_count_rate_and_time_left(clock):
    with progress("train_models: plain", 400, "fits", io.StringIO()) as bar:
        said = []
        for _ in range(3):
            clock[0] += 60
            bar.advance(24)
            said.append(bar.line())
        clock[0] += 1
        bar.advance(400 - bar.done)
        said.append(bar.line())
    assert said == [
        "train_models: plain: 24 of 400 fits after 60 s, 24.0 a minute, about 16 min left",
        "train_models: plain: 48 of 400 fits after 2 min, 24.0 a minute, about 15 min left",
        "train_models: plain: 72 of 400 fits after 3 min, 24.0 a minute, about 14 min left",
        "train_models: plain: 400 of 400 fits after 3 min",
    ]


def test_a_line_ends_with_what_else_is_known_of_the_work(clock):
    with progress("train_models: notes", 4, "fits", io.StringIO()) as bar:
        bar.note = lambda: "gru epoch 3 of 60: loss 0.700, held out 0.650"
        assert bar.line() == (
            "train_models: notes: 0 of 4 fits after 0 s; gru epoch 3 of 60: loss 0.700, held out 0.650"
        )


def test_a_terminal_shows_what_else_is_known_of_the_work():
    terminal = Terminal()
    with progress("train_models: notes", 4, "fits", terminal) as bar:
        bar.note = lambda: "loss 0.700"
        bar.advance()
        time.sleep(1.3)
    assert "loss 0.700" in terminal.getvalue()


def test_a_log_gets_a_line_a_minute_though_nothing_came_back_yet(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.01)
    log = io.StringIO()
    with progress("step", 10, "songs", log):
        time.sleep(0.3)
    lines = log.getvalue().splitlines()
    assert len(lines) > 2 and set(lines) == {"step: 0 of 10 songs after 0 s"}


def test_what_is_done_within_a_minute_says_nothing_in_a_log():
    log = io.StringIO()
    with progress("step", 10, "songs", log) as bar:
        bar.advance(10)
    assert log.getvalue() == ""


def test_what_an_earlier_run_has_done_does_not_count_for_the_rate(clock):
    with progress("step", 1000, "fits", io.StringIO()) as bar:
        bar.advance(900, known=True)
        clock[0] += 60
        bar.advance(10)
        assert bar.line() == "step: 910 of 1,000 fits after 60 s, 10.0 a minute, about 9 min left"


def test_a_terminal_gets_a_bar_with_count_rate_and_time():
    terminal = Terminal()
    with progress("extract_features", 3, "clips", terminal) as bar:
        for _ in range(3):
            bar.advance()
    shown = terminal.getvalue()
    assert "extract_features" in shown and "3/3" in shown and "clips" in shown and "/s" in shown


def test_more_than_the_total_is_no_error():
    for stream in (Terminal(), io.StringIO()):
        with progress("step", 1, "rows", stream) as bar:
            bar.advance(5)
            assert bar.line().startswith("step: 5 of 5 rows")


def test_items_count_as_done_when_the_next_one_is_asked_for(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(module.sys, "stderr", terminal)
    assert list(tracked(iter("abc"), "report", 3, "pictures")) == ["a", "b", "c"]
    assert "3/3" in terminal.getvalue()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_job_under_spark_submit_shows_its_bar_on_the_terminal_it_was_started_from(monkeypatch):
    ours, theirs = os.openpty()
    monkeypatch.setattr(module.sys, "stderr", io.StringIO())
    monkeypatch.setenv(module.TERMINAL, os.ttyname(theirs))
    with progress("train_models: plain", 7, "fits") as bar:
        bar.advance(7)
    shown = ""  # a terminal gives what has come so far, so one reading may hold the first bar alone
    while "7/7" not in shown and select.select([ours], [], [], 5.0)[0]:
        shown += os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert "train_models: plain" in shown and "7/7" in shown
    monkeypatch.setenv(module.TERMINAL, "/dev/none/such")
    with progress("step", 1, "fits") as bar:
        bar.advance()
