from genreatlas.config import load_config
from genreatlas.counts import Counts
from genreatlas.runner import sandbox_world, summary_line, too_much_failed
from genreatlas.sources.http import polite_session


def test_the_line_of_a_step_says_when_nothing_was_left_to_do():
    assert summary_line("x", Counts(144, 144), 12.34) == "x: read 144, wrote 144, failed 0, skipped 0, 12.3 s"
    assert summary_line("x", Counts(), 0.2).endswith("nothing was left to do")


def test_a_job_fails_when_too_much_failed_or_nothing_could_be_done():
    assert not too_much_failed(Counts(read=10, written=6, failed=4), 0.5)
    assert too_much_failed(Counts(read=10, written=4, failed=6), 0.5)
    assert too_much_failed(Counts(read=1, written=0, failed=1), 1.0)
    assert not too_much_failed(Counts(), 0.0)


def test_the_sandbox_world_is_reached_where_everything_else_goes_through_a_proxy(monkeypatch, tmp_path):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET"):
        monkeypatch.setenv(name, "")
    settings = ["world.start=true", "world.port=0", "world.genres=2", f'sandbox.path="{tmp_path}"']
    config = load_config([], settings)
    with sandbox_world(config) as world:
        page = polite_session(config.fan_out, "every_noise").get(f"{world.addresses['everynoise']}/engenremap.html")
    assert page.status_code == 200 and "genre scanme" in page.text
