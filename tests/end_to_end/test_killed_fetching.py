"""kill -9 while clips are fetched, again and again: in the end the tables are those of a run in peace."""

import io
import random
import time

import numpy as np
import pytest
import soundfile
from test_killed import kill_when
from whole_jobs import assert_equal_stores, command, run

from loopback import Reply, serve

CLIPS, CHUNK = 60, 8


def sound(number: int) -> bytes:
    noise = np.random.default_rng(number).standard_normal(22_050) * 0.1
    file = io.BytesIO()
    soundfile.write(file, noise, 22_050, format="MP3")
    return file.getvalue()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_fetch_that_is_killed_again_and_again_ends_as_one_in_peace_and_asks_little_twice(tmp_path):
    sounds = {f"/{number}.mp3": sound(number) for number in range(CLIPS)}
    dice = random.Random(7)
    with serve(
        lambda asked: Reply(404) if asked.path == "/5.mp3" else Reply(body=sounds[asked.path], kind="audio/mpeg")
    ) as server:
        manifest = tmp_path / "list.csv"
        lines = [f"{server.url}{path}?key=s3cret,Genre {number % 2}\n" for number, path in enumerate(sounds)]
        manifest.write_text("url,genre\n" + "".join(lines))
        settings = ('fetch_previews.providers=["http"]', f'http.manifest="{manifest}"', f"fan_out.chunk_rows={CHUNK}")
        peace, killed = tmp_path / "peace", tmp_path / "killed"
        done = run(command("fetch_previews", peace, tmp_path, settings=settings))
        assert done.returncode == 0 and "wrote 59, failed 0, skipped 1" in done.stdout, done.stdout
        once = len(server.asked)
        assert once == CLIPS
        job = command("fetch_previews", killed, tmp_path, settings=settings)
        for _ in range(3):
            until = len(server.asked) + dice.randint(1, 14)
            kill_when(job, lambda until=until: len(server.asked) >= until)
            time.sleep(0.2)
        done = run(job)
        assert done.returncode == 0, done.stdout
        assert len(server.asked) - once <= CLIPS + 3 * CHUNK
        assert "s3cret" not in done.stdout
    assert_equal_stores(peace, killed)
