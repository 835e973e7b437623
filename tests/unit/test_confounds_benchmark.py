"""The benchmark of confounds: a call that is cut leaves nothing running, and figures name the worst set."""

import json
import math
import os
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import confounds


def test_a_call_that_is_cut_stops_what_it_started_and_says_how_long_it_took(tmp_path):
    child = tmp_path / "child"
    command = ["bash", "-c", f"sleep 60 & echo $! > {child}; wait"]

    with pytest.raises(confounds.Cut, match=r"cut after 0\.0 minutes"):
        confounds.bounded(command, tmp_path, time.monotonic() + 0.2)
    assert confounds.bounded(["true"], tmp_path, math.inf) == 0

    for _ in range(100):
        if not Path(f"/proc/{child.read_text().strip()}").exists():
            break
        time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(int(child.read_text()), 0)
    assert len(json.loads((tmp_path / "turns.json").read_text())) == 2


def test_only_a_run_that_has_ended_is_on_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(confounds, "WORK", tmp_path)
    monkeypatch.setattr(confounds, "OUT", tmp_path / "confounds.json")
    monkeypatch.setattr(confounds, "PAGE", tmp_path / "confounds.md")

    def cut(library, songs, deadline):
        raise confounds.Cut(f"{library.name}: cut after 9.0 minutes")

    monkeypatch.setattr(confounds, "run", cut)
    with pytest.raises(SystemExit) as left:
        confounds.main(["--data", str(tmp_path), "--minutes", "9", "--only", "composed"])

    assert left.value.code == confounds.CUT
    assert capsys.readouterr().out == "composed: cut after 9.0 minutes. Call again: it goes on from there.\n"
    assert not (tmp_path / "confounds.json").exists()


def test_the_largest_fall_is_named_with_every_set_above_the_bar():
    def rows(*differences):
        names = ("one", "two")
        return pd.DataFrame(
            [
                {"kind": "change", "name": "mp3_64", "feature_set": name, "difference": by, "n_songs": 90}
                for name, by in zip(names, differences, strict=True)
            ]
            + [{"kind": "alone", "name": "year", "feature_set": "one", "difference": -0.5, "n_songs": 90}]
        )

    found = confounds.figures({"composed": rows(-0.021, 0.01), "midi5": rows(-0.019, -0.034)})

    assert list(found) == ["worst_fall_mp3_64"]
    worst = found["worst_fall_mp3_64"]
    assert (worst["value"], worst["bar"], worst["n"], worst["note"]) == (3.4, 2.0, 90, "two on midi5")
    assert worst["loses_more"] == ["one on composed", "two on midi5"]
    assert worst["falls"]["two on composed"] == -1.0


def test_a_sample_has_as_many_songs_of_each_genre():
    files = [Path(genre) / f"{n}.mid" for genre, size in (("jazz", 9), ("rock", 3)) for n in range(size)]

    some = confounds.evenly(files, 8)

    assert sorted(file.parent.name for file in some) == ["jazz"] * 5 + ["rock"] * 3
    assert set(confounds.evenly(files, 6)) <= set(some) and confounds.evenly(files, 99) != files
    assert sorted(confounds.evenly(files, 99)) == files
