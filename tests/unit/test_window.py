"""Which cut is used, and which id names what happens to it."""

import pytest

from genreatlas.audio.preprocess import choose_window, preprocessing_id, window_rule
from genreatlas.config import ClipSection


@pytest.mark.parametrize(
    ("position", "duration", "cut"),
    [
        ("start", 180.0, (0.0, 30.0)),
        ("middle", 180.0, (75.0, 30.0)),
        ("middle", 30.0, (0.0, 30.0)),
        (12.5, 180.0, (12.5, 30.0)),
        (170.0, 180.0, (150.0, 30.0)),
        (12.5, 20.0, (0.0, 20.0)),
        ("middle", 7200.0, (3585.0, 30.0)),
        ("middle", 180.12345, (75.062, 30.0)),
        ("start", 0.2, (0.0, 0.2)),
    ],
)
def test_the_cut_lies_where_the_rule_says_and_never_over_the_end(position, duration, cut):
    assert choose_window(ClipSection(position=position), duration) == cut


def test_the_rule_has_a_name():
    assert window_rule(ClipSection()) == "middle:30"
    assert window_rule(ClipSection(position=12.5, seconds=7.5)) == "12.5:7.5"


def test_the_preprocessing_id_changes_with_what_changes_samples_and_with_nothing_else():
    plain = preprocessing_id(ClipSection())
    assert preprocessing_id(ClipSection(target_lufs=-14.0, min_seconds=5.0)) == plain
    others = [
        ClipSection(position="start"),
        ClipSection(seconds=10.0),
        ClipSection(normalise="ebur128"),
        ClipSection(normalise="ebur128", target_lufs=-14.0),
        ClipSection(normalise="rms"),
    ]
    assert len({plain, *map(preprocessing_id, others)}) == 6
