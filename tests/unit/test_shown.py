"""What is shown of foreign text and files: a terminal, a spreadsheet, a picture, and the page with its sounds."""

import base64
import hashlib
import io
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import soundfile

from genreatlas.audio.uris import path_to_uri
from genreatlas.counts import Counts
from genreatlas.errors import ConfigError
from genreatlas.query import _answer
from genreatlas.report import plots_matrices, sounds, svg
from genreatlas.runner import _say
from genreatlas.sql import answers

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31mred\u202egnp.exe\u2066\r\n\x00"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def frame(*rows, columns=("name", "n")):
    """What :mod:`genreatlas.sql.answers` uses of a frame."""
    found = SimpleNamespace(columns=list(columns), toLocalIterator=lambda: iter(rows), collect=lambda: list(rows))
    found.limit = lambda _: found
    return found


def test_a_table_and_the_lines_of_a_step_keep_no_character_that_steers_a_terminal(capsys):
    text = answers.as_table(frame((HOSTILE, 1), ([HOSTILE], {HOSTILE: 2}), columns=("a\x1b[1m", "b")), 9)
    _say("score", Counts(1, 1, notes=(HOSTILE, "http://a:hunter-2x@h.example/x")), 0.0)
    printed = text + capsys.readouterr().out
    assert all(line.isprintable() for line in printed.split("\n"))
    assert "\\x1b[2J" in printed and "\\u202e" in printed and "hunter-2x" not in printed


CELLS = {
    "=1+1": "'=1+1", "+49 30": "'+49 30", "-2": "'-2", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\\tx".replace("\\t", "\t"),
    "\rx": "'\\x0dx", " =1": "' =1", "\uff1d1": "'\uff1d1", "a=b": "a=b", "12-inch": "12-inch", "트로트": "트로트",
}  # fmt: skip


def test_a_safe_csv_holds_no_formula_and_an_unsafe_one_what_the_table_holds():
    rows = [(cell, -1.5) for cell in CELLS]
    plain, safe = io.StringIO(), io.StringIO()
    assert answers.write_csv(frame(*rows, columns=("=x", "n")), plain) == len(CELLS)
    answers.write_csv(frame(*rows, columns=("=x", "n")), safe, safe=True)
    for file, expected, head in ((plain, list(CELLS), "=x"), (safe, list(CELLS.values()), "'=x")):
        file.seek(0)
        found = pd.read_csv(file, keep_default_na=False, lineterminator="\n", dtype={head: str})
        assert list(found.columns) == [head, "n"]
        assert found[head].tolist() == expected and set(found["n"]) == {-1.5}
    with pytest.raises(ConfigError, match="Add --csv FILE"):
        _answer(None, "SELECT 1", None, 9, safe=True)


def test_csv_on_a_terminal_steers_it_no_more_than_a_table_does():
    terminal, file = Terminal(), io.StringIO()
    for place in (terminal, file):
        answers.write_csv(frame((HOSTILE, 1)), place)
    assert all(line.isprintable() for line in terminal.getvalue().split("\n"))
    assert HOSTILE in file.getvalue()  # a file has what the table has


def test_a_genre_with_control_characters_makes_a_picture_that_can_be_read():
    names = [f"fado {HOSTILE}", "pol\ufffeka \ud800", "<b>&\x0b"]
    shares = pd.DataFrame(np.eye(3), index=list("abc"), columns=list("abc"))
    figure = plots_matrices.heatmap("confusion", shares, names, f"Confusion of {HOSTILE}")
    body = svg.text(1, 2, HOSTILE, class_=HOSTILE, data_x=names[1])
    for picture in (figure, svg.Figure("x", HOSTILE, body, 10, 10)):
        root = ElementTree.fromstring(picture.file("").encode())
        ElementTree.fromstring(picture.inline)
        assert not any(ord(c) < 32 and c not in "\t\r\n" for c in "".join(root.itertext()))
    assert svg.escaped("트로트 & אבג") == "트로트 &amp; אבג"


RATE = 22_050


def recorded(path, **changes):
    """A clip as ``clips`` records it: a whole small file."""
    content = path.read_bytes()
    facts = {
        "song_id": "s", "genre_id": "g", "title": "T", "path": path.name, "uri": path_to_uri(path), "start_s": 0.0,
        "length_s": 1.0, "duration_s": 1.0, "mime": "audio/wav", "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
    return pd.Series(facts | changes)


def tone(path, hertz):
    soundfile.write(path, 0.3 * np.sin(np.arange(RATE) * 2 * np.pi * hertz / RATE), RATE)
    return path


def test_only_what_was_imported_lands_in_the_page(tmp_path):
    song, other, secret = tone(tmp_path / "a.wav", 440), tone(tmp_path / "b.wav", 880), tmp_path / "secret"
    secret.write_bytes(b"root:x:0:0:" + b"s3cret" * 1000)
    row, content = recorded(song), song.read_bytes()
    assert base64.b64decode(sounds.player(row).source.removeprefix("data:audio/wav;base64,")) == content
    assert sounds.sound(row).problem == "" and len(sounds.sound(row).samples) == RATE

    for place in (secret, other):  # a link to a secret, and one to another song of the same length
        song.unlink()
        song.symlink_to(place)
        found = sounds.player(row)
        assert (found.source, found.problem) == ("", "the file is no longer the one that was imported")
        assert sounds.sound(row).problem == "the file is no longer the one that was imported"
    song.unlink()
    moved = tone(tmp_path / "moved.wav", 440)
    song.symlink_to(moved)  # the same file elsewhere: libraries are made of such links
    assert sounds.player(row).source
    # A store that was made to name another file as a song: it is no audio, whatever its row says.
    for forged in (recorded(secret), recorded(secret, sha256="x", mime="audio/mpeg")):
        assert sounds.player(forged).source == "" and sounds.sound(forged).samples is None
    song.unlink()
    song.mkdir()
    assert sounds.player(row).source == ""
