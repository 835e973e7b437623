"""Does the composed library keep its promises: the same bytes, the right truth, genres that differ?"""

import csv
import io
import json

import numpy as np
import pytest
import soundfile

from genreatlas.config import SandboxSection
from genreatlas.errors import ConfigError
from genreatlas.sandbox import GENRES, plan_library, truth_folder, truth_path, write_library
from genreatlas.steps import compose_library


def section(path, **settings) -> SandboxSection:
    defaults = {
        "path": path,
        "seconds": 2.0,
        "artists_per_genre": 1,
        "songs_per_artist": 1,
        "genres": ("house", "waltz"),
    }
    return SandboxSection(**{**defaults, **settings})


def contents(folder) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> SandboxSection:
    composed = section(tmp_path_factory.mktemp("composed") / "library")
    write_library(composed, workers=1)
    return composed


def test_one_seed_gives_one_library_to_the_byte_however_many_processes_compose(library, tmp_path):
    again = section(tmp_path / "again")
    assert write_library(again, workers=2) == 10
    assert contents(again.path) == contents(library.path)
    truths = contents(truth_folder(again.path))
    assert truths == contents(truth_folder(library.path))
    assert len(truths) == 5  # four songs and world.json


def test_another_seed_gives_other_music(library, tmp_path):
    other = section(tmp_path / "other", seed=8, broken_files=False, genres=("house",))
    write_library(other)
    old, new = (
        next(p for p in folder.path.glob("house/*.mp3") if "Damaged" not in p.name) for folder in (library, other)
    )
    assert old.read_bytes() != new.read_bytes()


def test_a_rerun_finds_nothing_to_do(config):
    small = config.model_copy(update={"sandbox": section(config.sandbox.path, genres=("folk",), broken_files=False)})
    first = compose_library.run(None, small)
    before = {path: path.stat().st_mtime_ns for path in config.sandbox.path.rglob("*")}
    again = compose_library.run(None, small)
    assert (first.read, first.written, first.failed) == (1, 1, 0)
    assert (again.read, again.written, again.failed) == (0, 0, 0)
    assert {path: path.stat().st_mtime_ns for path in config.sandbox.path.rglob("*")} == before


def test_only_what_is_missing_is_composed_and_comes_back_as_it_was(tmp_path):
    small = section(tmp_path / "library", broken_files=False)
    write_library(small)
    before = contents(small.path)
    lost = small.path / plan_library(small)[1].path
    lost.unlink()
    lost.with_name(lost.name + ".part").write_bytes(b"half a file of a killed run")
    assert write_library(small) == 1
    assert contents(small.path) == before


def test_a_folder_with_another_library_is_refused_and_named(library):
    with pytest.raises(ConfigError, match=r"seed = 7, not 9.*Set sandbox.path to another folder, or delete"):
        write_library(section(library.path, seed=9))


def test_a_folder_with_somebodys_own_files_is_refused(tmp_path):
    (tmp_path / "mine.mp3").write_bytes(b"precious")
    with pytest.raises(ConfigError, match="files that were not composed"):
        write_library(section(tmp_path))
    assert contents(tmp_path) == {"mine.mp3": b"precious"}
    assert not truth_folder(tmp_path).exists()


def test_an_unknown_genre_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"'polka' cannot be composed. Choose from: house, "):
        write_library(section(tmp_path, genres=("polka",)))


def test_the_default_library_has_eight_genres_of_six_artists_with_three_songs():
    files = plan_library(SandboxSection())
    songs = [file for file in files if file.fault is None and len(file.genres) == 1]
    assert len(GENRES) == 8
    assert len(songs) == 144
    assert len({file.artist for file in songs}) == 48
    assert len({file.path for file in files}) == len(files) == len({file.song for file in files})


def test_songs_under_two_genres_are_by_an_artist_of_the_first_and_lie_in_its_folder():
    files = plan_library(SandboxSection())
    homes = {file.artist: file.genres[0] for file in files if len(file.genres) == 1 and file.fault is None}
    both = [file for file in files if len(file.genres) == 2]
    assert [file.genres[0] for file in both] == list(GENRES)
    assert all(homes[file.artist] == file.genres[0] == file.path.split("/")[0] for file in both)


def test_the_manifest_lists_every_audio_file_with_its_genres(library):
    text = (library.path / "manifest.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    files = plan_library(library)
    assert [row["path"] for row in rows] == [file.path for file in files]
    assert set(contents(library.path)) - {"manifest.csv"} == {file.path for file in files}
    assert rows[1] == {
        "path": files[1].path,
        "genre": "house;waltz",
        "song": "house-01-02",
        "artist": files[1].artist,
        "title": files[1].title,
        "album": files[1].album,
        "licence": "CC0-1.0",
    }


def test_tags_say_what_the_manifest_says(library):
    from mutagen.id3 import ID3

    file = plan_library(library)[1]
    tags = ID3(library.path / file.path)
    assert [list(tags[name].text) for name in ("TIT2", "TPE1", "TALB", "TCON")] == [
        [file.title],
        [file.artist],
        [file.album],
        ["house", "waltz"],
    ]


def test_songs_are_stereo_mp3_of_the_asked_length_and_never_clip(library):
    for file in plan_library(library):
        if file.fault is None:
            sound, rate = soundfile.read(library.path / file.path)
            assert (rate, sound.shape) == (44100, (2 * 44100, 2))
            assert 0.05 < np.abs(sound).max() < 1.0
            assert soundfile.info(library.path / file.path).format == "MP3"


def test_broken_files_are_broken_in_the_way_they_say(library):
    broken = {file.fault: library.path / file.path for file in plan_library(library) if file.fault}
    for fault in ("text", "empty"):
        with pytest.raises(soundfile.LibsndfileError):
            soundfile.read(broken[fault])
    assert broken["empty"].stat().st_size == 0
    assert len(soundfile.read(broken["cut"])[0]) < 44100 < soundfile.info(broken["silence"]).frames
    assert soundfile.info(broken["short"]).frames == 8820
    assert np.abs(soundfile.read(broken["silence"])[0]).max() == 0.0
    assert np.isnan(soundfile.read(broken["nan"])[0]).all()


def test_every_song_has_its_truth_outside_the_folder_of_audio(library):
    for file in plan_library(library):
        if file.fault is None:
            truth = json.loads(truth_path(library.path, file).read_text(encoding="utf-8"))
            assert truth["song"] == file.song
            assert len({len(column) for column in truth["onsets"].values()}) == 1
            assert library.path not in truth_path(library.path, file).parents
