"""The fan-out from a scraped page to fetched clips: killed, and in a storm of faults, as if nothing had happened."""

import pytest
from chaos import wreak

from genreatlas.config import WorldSection
from genreatlas.sandbox.world import Faults

WORLD = WorldSection(port=0, genres=8, songs=12)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_fan_out_that_is_killed_three_times_ends_as_if_it_had_not_been(tmp_path):
    chaos = wreak(tmp_path, kills=3, seed=7, world=WORLD)
    assert chaos.kills == 3 and chaos.rounds >= 1
    # At most one chunk of 20 keys a kill is fetched twice, whatever it is that is fetched.
    for kind in ("everynoise /engenremap-SLUG.html", "cdn /mp3-preview/ID", "deezer /track/isrc:CODE"):
        assert chaos.again[kind] <= 3 * 20, chaos.again


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_storm_in_which_a_third_of_all_requests_fail_loses_and_doubles_nothing(tmp_path):
    storm = Faults(share=0.3, retry_after_s=0.2, stall_s=3.0)
    chaos = wreak(tmp_path, kills=0, seed=7, world=WORLD, faults=storm)
    assert chaos.rounds == 1
