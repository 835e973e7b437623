"""The report's section on copies: kinds of links, recordings per genre, and recordings that lie in several parts."""

from dataclasses import replace

from genreatlas.report.copies import KINDS
from genreatlas.report.data import Copies
from genreatlas.report.page import render
from report_factory import frame, report_data

COPIES = Copies(
    n_clips=1207,
    n_copies=5,
    n_recordings=2,
    kinds=frame(
        "kind n song other evidence",
        ("copy", 5, "Ann – <i>Song</i>", "Ann – Song", "sound: 0.010 of bits differ over 25.0 s"),
        ("live", 1, "Ann – Song (Live)", "Ann – Song", "names differ: 0.050 of bits differ over 25.0 s"),
        ("doubt", 1, None, None, None),
    ),
    genres=frame("genre n_songs n_recordings n_doubles", ("Folk", 25, 22, 3)),
    n_genres=4,
    bridging=frame("recording n_copies places", ("Ann – Song", 3, ["test", "train 1"])),
    n_bridging=1,
)


def section(copies):
    html = render(replace(report_data(), copies=copies)).html
    assert '<a href="#copies">' in html
    found = html[html.index('<section id="copies">') :]
    return found[: found.index("</section>")]


def test_kinds_doubles_and_recordings_in_several_parts_are_shown():
    text = section(COPIES)
    assert "5 songs are copies of 2 recordings: 3 doubles." in text
    assert "<i>Song" not in text and "Ann – &lt;i&gt;Song" in text
    assert "of Ann – Song; names differ: 0.050 of bits differ over 25.0 s" in text
    assert "3 more are left out." in text
    assert "1 recording is in several parts or folds" in text and "test, train 1" in text
    assert "<code>recording_links</code> version 3" in text


def test_every_kind_of_link_is_explained():
    for kind in KINDS:
        text = section(replace(COPIES, kinds=frame("kind n song other evidence", (kind, 1, "a", "b", "c"))))
        assert f"{kind}<small>" in text


def test_where_nothing_was_found_the_section_says_so():
    text = section(Copies(n_clips=12, n_copies=0, n_recordings=0))
    assert "No song is a copy of another." in text and "<table" not in text and "several parts" not in text


def test_copies_in_one_part_are_said_to_be_there():
    text = section(replace(COPIES, bridging=COPIES.bridging.head(0), n_bridging=0))
    assert "No recording is in several parts or folds of the split." in text


def test_without_fingerprints_there_is_no_section():
    html = render(report_data()).html
    assert 'id="copies"' not in html and "#copies" not in html
