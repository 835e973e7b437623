"""Rhythm in a real browser: the tempo of click tracks, of files and of a microphone, and the ring beside a player."""

import base64
import io

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("duckdb")
import soundfile

from browser import CHROMIUM, Browser
from site_server import SiteServer

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no chromium")]
RATE = 44_100
HEARD_BPM = 132.0
#: Renders a click track with the browser's own oscillator, and hears it as the page does, in pieces.
CLICKS = """
(async () => {
  const { OnsetFlux, tempoAt } = await import("/static/onsets.js");
  const found = [];
  for (const [bpm, first, noise] of %s) {
    const context = new OfflineAudioContext(1, 8 * 44100, 44100);
    for (let at = first; at < 7.9; at += 60 / bpm) {
      const click = new OscillatorNode(context, { frequency: 1000 });
      const loud = new GainNode(context, { gain: 0 });
      loud.gain.setValueAtTime(0.6, at);
      loud.gain.exponentialRampToValueAtTime(0.001, at + 0.03);
      loud.gain.setValueAtTime(0, at + 0.031);
      click.connect(loud).connect(context.destination);
      click.start(at);
      click.stop(at + 0.04);
    }
    const samples = (await context.startRendering()).getChannelData(0);
    for (let i = 0; i < samples.length; i++) samples[i] += noise * (Math.random() - 0.5);
    const flux = new OnsetFlux(44100);
    for (let i = 0; i < samples.length; i += 2048) flux.push(samples.subarray(i, i + 2048));
    found.push(tempoAt(flux.values, flux.rate, 8)?.bpm ?? null);
  }
  return found;
})()
"""


def clicks(bpm: float, seconds: float, loud: float = 0.6) -> bytes:
    """A click track as a WAV file."""
    times = np.arange(round(seconds * RATE)) / RATE
    since = times % (60 / bpm)
    samples = loud * np.exp(-since / 0.006) * np.sin(2 * np.pi * 1000 * since)
    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.float32), RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with SiteServer(tmp_path_factory.mktemp("listening"), "web.queue_workers=0") as server:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("microphone")
    (folder / "clicks.wav").write_bytes(clicks(HEARD_BPM, 60))
    flags = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={folder}/clicks.wav",
        "--autoplay-policy=no-user-gesture-required",
    )
    with Browser(tmp_path_factory.mktemp("profile"), flags=flags) as browser:
        yield browser


@pytest.fixture
def seen(browser, served):
    browser.errors.clear()
    browser.requests.clear()
    browser.open(f"{served.address}/tempo", f"location.href.startsWith('{served.address}') && "
                 "document.readyState === 'complete'")  # fmt: skip
    yield browser
    assert browser.errors == []
    ours = (served.address, "data:", "about:", f"blob:{served.address}")
    assert [one for one in browser.requests if not one.startswith(ours)] == []


def choose(seen: Browser, selector: str, path) -> None:
    root = seen.send("DOM.getDocument")["root"]["nodeId"]
    node = seen.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
    seen.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


def test_click_tracks_of_60_to_200_bpm_are_heard_to_one_bpm_within_8_seconds(seen):
    rng = np.random.default_rng(3)
    tracks = [[float(bpm), float(rng.uniform(0.02, 0.5)), noise] for bpm in range(60, 201, 7) for noise in (0, 0.05)]
    found = seen.ask(CLICKS % tracks)
    wrong = [(track, bpm) for track, bpm in zip(tracks, found, strict=True) if bpm is None or abs(bpm - track[0]) > 1]
    assert len(found) == 42 and wrong == []


def test_silence_and_steady_noise_have_no_tempo(seen):
    code = """(async () => {
      const { OnsetFlux, tempoAt } = await import("/static/onsets.js");
      return [0, 0.5].map((loud) => {
        const flux = new OnsetFlux(44100);
        flux.push(Float32Array.from({ length: 8 * 44100 }, () => loud * (Math.random() - 0.5)));
        return tempoAt(flux.values, flux.rate, 8);
      });
    })()"""
    assert seen.ask(code) == [None, None]


def test_a_file_has_its_tempo_shown_and_is_sent_nowhere(seen, tmp_path):
    (tmp_path / "clicks.wav").write_bytes(clicks(91.0, 12))
    choose(seen, "#file", tmp_path / "clicks.wav")
    seen.wait("document.getElementById('said').textContent.startsWith('Play the file')")
    assert abs(float(seen.ask("document.getElementById('bpm').textContent")) - 91) <= 1
    assert seen.ask("document.getElementById('player').hidden") is False
    (tmp_path / "text.mp3").write_bytes(b"no sound")
    choose(seen, "#file", tmp_path / "text.mp3")
    seen.wait("document.getElementById('said').textContent.startsWith('This file cannot')")


def test_the_microphone_has_its_tempo_shown_within_8_seconds(seen):
    seen.ask("document.getElementById('listen').click()")
    seen.wait("document.getElementById('said').textContent.startsWith('Listening')")
    seen.wait(f"Math.abs(Number(document.getElementById('bpm').textContent) - {HEARD_BPM}) <= 1", seconds=15)
    seen.ask("document.getElementById('listen').click()")
    seen.wait("document.getElementById('said').textContent === 'Stopped.'")


def test_the_ring_follows_the_player(browser, served):
    """Beats of the clip are at 1.05, 1.3, 1.55 ... s of its file; the second begins a bar of four."""
    browser.errors.clear()
    browser.open(f"{served.address}/songs/song000003", "document.getElementById('ring')?.width === 560")
    player = "document.getElementById('player')"
    browser.ask(f"{player}.preload = 'auto', {player}.load()")
    browser.wait(f"{player}.readyState >= 2")
    for seconds, words in ((1.1, "Upbeat, beat 4 of 4"), (1.31, "Bar 1, beat 1 of 4"), (1.9, "Bar 1, beat 3 of 4"),
                           (2.4, "Bar 2, beat 1 of 4"), (1.0, ""), (2.9, "")):  # fmt: skip
        browser.ask(f"{player}.currentTime = {seconds}")
        browser.wait(f"!{player}.seeking && document.getElementById('beat-words').textContent === '{words}'", 20)
    before = base64.b64encode(pixels(browser))
    browser.ask(f"{player}.currentTime = 1.4")
    browser.wait("document.getElementById('beat-words').textContent !== ''")
    assert base64.b64encode(pixels(browser)) != before
    browser.ask(f"{player}.play()")
    browser.wait("document.getElementById('beat-words').textContent.startsWith('Bar 2')", 20)
    assert browser.errors == []


def pixels(browser: Browser) -> bytes:
    return browser.ask("document.getElementById('ring').toDataURL()").encode()
