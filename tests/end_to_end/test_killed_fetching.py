"""kill -9 while clips are fetched: in the end every song has its clip, once, or its reason."""

import hashlib
import io
import random
import time

import numpy as np
import pytest
import soundfile
from test_killed import kill_when
from whole_jobs import TINY, command, rows

from genreatlas.config import load_config
from genreatlas.runner import run_steps
from genreatlas.sources.hosts import forget_hosts
from genreatlas.tables import CLIP_AUDIO, CLIPS, FETCH_ATTEMPTS, SONG_GENRES
from loopback import Reply, serve

MISSING = "/5.mp3"


def sound(number: int) -> bytes:
    noise = np.random.default_rng(number).standard_normal(22_050) * 0.1
    file = io.BytesIO()
    soundfile.write(file, noise, 22_050, format="MP3")
    return file.getvalue()


@pytest.mark.parametrize(("clips", "chunk", "kills"), [(16, 4, 1), (60, 8, 5)])
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_fetch_that_is_killed_again_and_again_ends_as_one_in_peace_and_asks_little_twice(
    spark, tmp_path, clips, chunk, kills
):
    sounds = {f"/{number}.mp3": sound(number) for number in range(clips)}
    dice = random.Random(7)

    def answer(asked):
        return Reply(404) if asked.path == MISSING else Reply(body=sounds[asked.path], kind="audio/mpeg")

    with serve(answer) as server:
        manifest = tmp_path / "list.csv"
        lines = [f"{server.url}{path}?key=s3cret,Genre {number % 2}\n" for number, path in enumerate(sounds)]
        manifest.write_text("url,genre\n" + "".join(lines))
        settings = (
            'fetch_previews.providers=["http"]',
            f'http.manifest="{manifest}"',
            f'http.hosts=["{server.host}"]',
            f"fan_out.chunk_rows={chunk}",
        )
        job = command("fetch_previews", tmp_path, tmp_path, settings=settings)
        for _ in range(kills):
            until = len(server.asked) + dice.randint(1, clips // 4)
            kill_when(job, lambda until=until: len(server.asked) >= until)
            time.sleep(0.2)
        forget_hosts()
        run_steps(["fetch_previews"], spark, load_config([TINY], job[job.index(str(TINY)) + 2 :: 2]))
        assert len(server.asked) <= clips + kills * chunk
        good = {f"{server.url}{path}": body for path, body in sounds.items() if path != MISSING}
    found = rows(tmp_path, CLIPS).set_index("path")
    assert found.sha256.to_dict() == {path: hashlib.sha256(body).hexdigest() for path, body in good.items()}
    audio = rows(tmp_path, CLIP_AUDIO)
    assert sorted(audio.audio) == sorted(good.values())
    tried = rows(tmp_path, FETCH_ATTEMPTS)
    assert tried.groupby("status").size().to_dict() == {"ok": clips - 1, "final": 1}
    assert len(rows(tmp_path, SONG_GENRES)) == clips
