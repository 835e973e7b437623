"""The report's section on confounds: a line and a sentence for each experiment, and none where nothing was probed."""

from dataclasses import replace

import numpy as np
import pandas as pd

from genreatlas.evaluation.confounds import IntervalSettings, Songs, majority_answers
from genreatlas.evaluation.probe_comparisons import Levelled, apart_rows
from genreatlas.evaluation.probe_results import Probed, alone_rows
from genreatlas.report.page import render
from genreatlas.tables import PROBES
from report_factory import report_data


def probes(grouping: str = "artist-safe") -> pd.DataFrame:
    """Rows over all genres of a confound, a list of genres, and an experiment that was left out."""
    n = 120
    probed = Probed("default", 1, grouping, "summary9", "2", "p", 7, IntervalSettings(n_samples=100))
    names = ("Baroque", "Serialism", "<b>Classical</b>")
    ids, group = np.array([f"s{place:03}" for place in range(n)]), np.arange(n).astype(str)
    songs = Songs(ids, np.arange(n) % 3, np.arange(n) // 3 % 3, group, ("baroque", "serialism", "classical"), names)
    guess = majority_answers(songs)
    levels = Levelled("with every clip brought to -23 LUFS", (-20.0, -33.0, -21.0), 1)
    rows = [
        *alone_rows(probed, "loudness", songs, songs.target, guess, songs.target, n),
        *apart_rows(probed, "classical", songs, (songs.target, guess, songs.target, guess), levels, 0.02),
        probed.left_out("alone", "year", "the year of no song is known"),
    ]
    frame = pd.DataFrame([dict.fromkeys(PROBES.column_names) | row for row in rows])
    return frame[(frame["genre_id"] == "*") & (frame["metric"] == "accuracy")].reset_index(drop=True)


def test_every_experiment_has_a_line_and_its_sentence():
    html = render(replace(report_data(), probes=probes())).html
    section = html[html.index('<section id="confounds">') :]
    section = section[: section.index("</section>")]
    assert section.count("<tr>") == 4 and section.count('<p class="probe">') == 3
    assert "tells most" in section and "how much of that is music is not known" in section
    assert "told apart with level; Serialism" in section and "(median level -33.0, the next genre" in section
    assert "Left out: the year of no song is known." in section
    assert "<b>Classical</b>" not in section and "&lt;b&gt;Classical" in section
    assert "without any song of their artists" in section
    assert '<a href="#confounds">' in html


def test_a_split_that_is_not_artist_safe_is_named():
    html = render(replace(report_data(), probes=probes("song-grouped"))).html
    assert "<b>The split is song-grouped</b>, so the model may have been fitted to songs of the same artist" in html


def test_where_nothing_was_probed_there_is_no_section():
    assert "confounds" not in render(report_data()).html
