"""How a run's rates are divided among tasks, and how progress is told."""

import io

from genreatlas.config import FanOutSection, HostLimit
from genreatlas.fanout.run import Progress
from genreatlas.fanout.runners import share


def test_whole_requests_are_divided_and_the_remainder_is_given_out():
    settings = FanOutSection(
        hosts={"a.org": HostLimit(requests=11, window_s=3.0, concurrency=4), "b.org": HostLimit(requests=2)}, threads=9
    )
    shares = [share(settings, slot, 4) for slot in range(4)]
    assert [part.hosts["a.org"].requests for part in shares] == [3, 3, 3, 2]
    assert {part.hosts["a.org"].window_s for part in shares} == {3.0}
    assert [part.hosts["a.org"].concurrency for part in shares] == [1, 1, 1, 1]
    assert [part.threads for part in shares] == [3, 2, 2, 2]
    # A task without a share of a host may not ask it at all; no limit stays no limit.
    assert [part.hosts["b.org"].concurrency > 0 for part in shares] == [True, True, False, False]
    assert {part.hosts["localhost"].requests for part in shares} == {0}


def test_progress_tells_share_rate_errors_and_time_left():
    progress = Progress("clips", 380, io.StringIO())
    progress.add(90)
    progress.add(10, "not_found")
    progress._started -= 50
    assert progress.text() == "clips: 100/380 (26%), 2.0/s, 2 min left; not_found 10"
