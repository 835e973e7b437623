from genreatlas.runner import summary_line, too_much_failed, without_secrets
from genreatlas.steps.counts import Counts


def test_the_line_of_a_step_says_when_nothing_was_left_to_do():
    assert summary_line("x", Counts(144, 144), 12.34) == "x: read 144, wrote 144, failed 0, skipped 0, 12.3 s"
    assert summary_line("x", Counts(), 0.2).endswith("nothing was left to do")


def test_a_job_fails_when_too_much_failed_or_nothing_could_be_done():
    assert not too_much_failed(Counts(read=10, written=6, failed=4), 0.5)
    assert too_much_failed(Counts(read=10, written=4, failed=6), 0.5)
    assert too_much_failed(Counts(read=1, written=0, failed=1), 1.0)
    assert not too_much_failed(Counts(), 0.0)


def test_secrets_are_left_out_at_every_depth():
    assert without_secrets({"spotify": {"client_secret": "x", "market": "SE"}, "l": [{"token": "y"}]}) == {
        "spotify": {"client_secret": "(left out)", "market": "SE"},
        "l": [{"token": "(left out)"}],
    }
