"""Damaged files end as features or as rows with a reason; ``make fuzz`` tries thousands, this a few of each format."""

import numpy as np

from fuzz import LIMITS
from mutations import FORMATS, Outcome, fuzz, mutated, sound_files


def test_damaged_files_of_every_format_end_as_features_or_with_a_reason(tmp_path):
    outcome = Outcome()
    for done, outcome in fuzz(range(8 * len(FORMATS)), 1, tmp_path, LIMITS):  # noqa: B007
        pass
    assert done == outcome.reasons.total() == 8 * len(FORMATS)
    assert outcome.faults == {}
    assert outcome.reasons[""] > 10
    assert {"decode_failed", "not_audio"} < outcome.reasons.keys()


def test_the_same_number_is_the_same_damage_and_good_files_are_good(tmp_path):
    (data, *_) = sound_files().values()
    first, again, other = (mutated(data, np.random.default_rng((0, number))) for number in (3, 3, 4))
    assert first == again != other
    assert first != data
