"""Copies of recordings among real files: found once, added to, forgotten, and read by all who count songs."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import butter, lfilter

from conftest import make_config
from genreatlas.audio import fingerprint
from genreatlas.audio.feature_sets import get_feature_set, table_of
from genreatlas.counts import Counts
from genreatlas.datasets.library import read_ties
from genreatlas.neighbours.reading import read_keys
from genreatlas.recordings import jobs
from genreatlas.report.copies import read_copies
from genreatlas.sources.folder.catalogue import song_id
from genreatlas.steps import assign_splits, extract_features, import_folder, link_recordings
from genreatlas.store import Store
from genreatlas.tables import CLIPS, LINKED_CLIPS, RECORDING_LINKS, RECORDING_MATCHES, RECORDINGS, SPLITS
from melodies import RATE, encoded, melody, resampled

TABLES = (LINKED_CLIPS, RECORDING_MATCHES, RECORDING_LINKS)
FIRST, SECOND = melody(1), melody(2)


def add(music, name, samples, title="", kind="MP3", isrc="", **options):
    """A file, and its row in the manifest: genre of its folder, a title and an ISRC."""
    path, manifest = music / name, music / "manifest.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(samples, kind, **options))
    known = pd.read_csv(manifest, index_col="path", keep_default_na=False) if manifest.exists() else pd.DataFrame()
    facts = {"genre": [path.parent.name], "title": [title], "isrc": [isrc]}
    row = pd.DataFrame(facts, index=pd.Index([name], name="path"))
    pd.concat([known.drop(index=name, errors="ignore"), row]).to_csv(manifest, index_label="path")


def links(store):
    """Rows of the table by file name: (song, recording, kind)."""
    found = {row.song_id: row.path for row in store.read(CLIPS).collect()}
    rows = store.read(RECORDING_LINKS).collect()
    return sorted((found[row.song_id], found[row.recording_id], row.kind) for row in rows)


def instrument(samples, number):
    """The sound muffled or bright, clean or noisy: another number is another timbre."""
    low = butter(2, (500, 1500, 5000, 15_000)[number % 4] / (RATE / 2))
    noise = (0.0003, 0.02)[number // 4 % 2] * np.random.default_rng(number).standard_normal(samples.size)
    return (lfilter(*low, samples) + noise).astype(np.float32)


def rows(store):
    return {table.name: sorted(map(tuple, store.read(table).collect())) for table in TABLES}


def take_in(store, config):
    import_folder.run(store, config)
    extract_features.run(store, config)
    return link_recordings.run(store, config)


def recording(*names):
    """The name of the file whose song has the lowest id."""
    return min(names, key=song_id)


@pytest.fixture
def library(spark, tmp_path):
    """Six songs in two genres; one twice, in another encoding and cut, and once more as a live take of that sound."""
    music = tmp_path / "music"
    add(music, "Rock/first.mp3", FIRST, "First")
    add(music, "Jazz/copy.ogg", FIRST[4 * RATE :] * 0.5, kind="OGG")
    add(music, "Jazz/live.mp3", FIRST, "First (Live at Home)", level=0.9)
    add(music, "Rock/second.mp3", SECOND, "Second")
    for number in range(3, 6):
        add(music, f"{'Rock' if number % 2 else 'Jazz'}/{number}.mp3", melody(number), f"Title {number}")
    config = make_config(
        tmp_path, 'extract.feature_sets=["fingerprint", "gtzan57"]', "folder.labels=manifest",
        f'folder.manifest="{music}/manifest.csv"', "splits.test=0.34",
        "splits.promotion=0", "splits.folds=2", "splits.group_by=song", "train.min_songs=100",
    )  # fmt: skip
    return Store(spark, config.store), config, music


@pytest.mark.slow
def test_a_copy_is_linked_once_and_counts_once_everywhere(library, monkeypatch):
    monkeypatch.setattr(jobs, "FEW_NEW", 3)  # two new clips bring their codes to the tasks
    store, config, music = library
    counts = take_in(store, config)
    assert (counts.read, counts.written, counts.skipped) == (7, 7, 0)
    pair = ("Rock/first.mp3", "Jazz/copy.ogg")
    base = recording(*pair)
    versions = [("Jazz/live.mp3", base, "live")]
    assert links(store) == sorted([*((name, base, "copy") for name in pair), *versions])
    assert counts.notes[0] == "2 songs are copies of 1 recordings: 1 duplicates"
    assert counts.notes[1] == "same sound, but different recordings: 1 live"
    # the copy stands in another genre, so no genre has a double
    assert not any("recordings of the genres" in note for note in counts.notes)
    by_song = {row.song_id: row for row in store.read(RECORDING_LINKS).where("kind = 'copy'").collect()}
    assert all(row.score > 0.85 and row.evidence.startswith("sound: 0.0") for row in by_song.values())

    # a rerun adds nothing
    before, versions_before = rows(store), [store.version(table) for table in TABLES]
    again = link_recordings.run(store, config)
    assert again == Counts()
    assert rows(store) == before and [store.version(table) for table in TABLES] == versions_before

    # one reader of links: splits, what is counted, neighbours
    ties = read_ties(store, config)
    assert set(ties.links.loc[ties.links.kind == "recording", "song_id"]) == {song_id(name) for name in pair}
    assign_splits.run(store, config)
    placed = {row.song_id: (row.group_id, row.part, row.fold) for row in store.read(SPLITS).collect()}
    assert len({placed[song_id(name)] for name in pair}) == 1
    assert {row.song_id for row in store.read(RECORDINGS).collect()} == {song_id(name) for name in pair}
    keys = read_keys(store, config, np.array(sorted(placed)))
    assert keys["recording"].nunique() == 6

    # what comes later is compared with what is there, and ends as if it had been there from the start
    add(music, "Rock/faster.mp3", resampled(SECOND, 1.01), "Second")
    add(music, "Rock/third copy.mp3", np.concatenate([np.zeros(3 * RATE, np.float32), FIRST[: 27 * RATE]]), "First")
    counts = take_in(store, config)
    assert (counts.read, counts.written, counts.skipped) == (2, 2, 0)
    three, two = (*pair, "Rock/third copy.mp3"), ("Rock/second.mp3", "Rock/faster.mp3")
    expected = [(name, recording(*names), "copy") for names in (three, two) for name in names]
    assert links(store) == sorted([*expected, ("Jazz/live.mp3", recording(*three), "live")])
    assert any(note.startswith("recordings of the genres") and "Rock" in note for note in counts.notes)
    assign_splits.run(store, config)
    shown = read_copies(store, "default")
    assert (shown.n_clips, shown.n_copies, shown.n_recordings, shown.n_bridging) == (9, 5, 2, 0)
    assert [(row.kind, row.n) for row in shown.kinds.itertuples()] == [("copy", 5), ("live", 1)]
    assert shown.kinds.song[1] == "First (Live at Home)"
    doubles = {(row.genre, row.n_songs, row.n_recordings, row.n_doubles) for row in shown.genres.itertuples()}
    assert doubles == {("Rock", 6, 4, 2)}
    incremental = rows(store)
    for table in TABLES:
        store.sql(f"DELETE FROM {store.location.sql(table.name)}")
    link_recordings.run(store, config)
    whole = rows(store)
    assert whole["linked_clips"] == incremental["linked_clips"]
    assert whole["recording_links"] == incremental["recording_links"]

    # a file that sounds different now is a copy no longer
    add(music, "Jazz/copy.ogg", melody(9), kind="OGG")
    take_in(store, config)
    left = ("Rock/first.mp3", "Rock/third copy.mp3")
    assert {(song, kind) for song, _, kind in links(store)} == {
        *((name, "copy") for name in (*left, *two)), ("Jazz/live.mp3", "live"),
    }  # fmt: skip


@pytest.mark.slow
def test_copies_that_were_placed_apart_are_told_and_leave_the_next_version(library):
    store, config, _ = library
    import_folder.run(store, config)
    extract_features.run(store, config)
    pair = [song_id(name) for name in ("Rock/first.mp3", "Jazz/copy.ogg")]
    assign_splits.run(store, config)
    store.sql(
        f"UPDATE {store.location.sql('splits')} SET part = CASE WHEN song_id = '{pair[0]}' THEN 'train' ELSE 'test' "
        f"END, fold = CASE WHEN song_id = '{pair[0]}' THEN 0 END WHERE song_id IN ('{pair[0]}', '{pair[1]}')"
    )
    counts = link_recordings.run(store, config)
    assert any(note.startswith("1 recordings are in several parts or folds of the split") for note in counts.notes)
    assert read_copies(store, "default").bridging.places.map(list).tolist() == [["test", "train 0"]]
    assign_splits.run(store, config)
    assert read_copies(store, "default").n_bridging == 0
    last = {row.song_id: row for row in store.read(SPLITS).where("split_version = 2").collect()}
    assert {song: (row.part, row.reason) for song, row in last.items()} == {pair[1]: ("excluded", "bridges_groups")}


@pytest.mark.slow
def test_a_short_overlap_needs_near_timbres_and_one_title_or_isrc(library):
    store, config, music = library
    long = [instrument(melody(seed, 48.0), seed) for seed in (31, 32, 33)]
    first, second = [song[: 30 * RATE] for song in long], [song[18 * RATE :] for song in long]  # 12 s in common
    add(music, "Rock/title.mp3", first[0], "One Title")
    add(music, "Rock/title later.mp3", second[0], "One Title (Original Mix)")
    add(music, "Rock/isrc.mp3", first[1], "Here", isrc="GBAYE0601498")
    add(music, "Rock/isrc later.mp3", second[1], "There", isrc="GB-AYE-06-01498")
    add(music, "Rock/unnamed.mp3", first[2], "A Name")
    add(music, "Rock/unnamed later.mp3", second[2], "Another Name")
    # a jingle: the beginning is another song's, the rest sounds different
    other = instrument(melody(41, 18.0), 41) + 0.3 * np.random.default_rng(1).standard_normal(18 * RATE)
    jingle = np.concatenate([melody(42)[18 * RATE :], other.astype(np.float32)])
    add(music, "Rock/jingle.mp3", melody(42), "Jingle")
    add(music, "Rock/jingle later.mp3", jingle, "Jingle")
    for number in range(8):
        add(music, f"Jazz/timbre {number}.mp3", instrument(melody(50 + number), number), f"Timbre {number}")
    take_in(store, config)
    assert store.read(RECORDING_MATCHES).where("overlap_s < 15").count() == 4
    paths = {row.song_id: row.path for row in store.read(CLIPS).collect()}
    found = {
        paths[row.song_id]: (row.kind, row.evidence.partition(":")[0]) for row in store.read(RECORDING_LINKS).collect()
    }
    short = {name: said for name, said in found.items() if said[1].startswith("short overlap")}
    assert {name: kind for name, (kind, _) in short.items() if kind == "copy"} == {
        f"Rock/{one}{end}.mp3": "copy" for one in ("title", "isrc") for end in ("", " later")
    }
    assert short["Rock/title.mp3"][1].endswith("one title") and short["Rock/isrc later.mp3"][1].endswith("one ISRC")
    doubts = {name.split()[0].partition(".")[0]: said for name, (kind, said) in short.items() if kind == "doubt"}
    assert doubts.keys() == {"Rock/unnamed", "Rock/jingle"}
    assert doubts["Rock/unnamed"] == "short overlap, neither title nor ISRC agrees"
    assert doubts["Rock/jingle"].startswith("short overlap, timbre differs")


@pytest.mark.slow
def test_without_chromaprint_one_line_says_that_the_set_is_left_out(library, monkeypatch):
    store, config, _ = library
    monkeypatch.setattr(fingerprint, "backend", lambda: None)
    import_folder.run(store, config)
    counts = extract_features.run(store, config)
    assert counts.notes[0] == fingerprint.MISSING and counts.written == 7
    counts = link_recordings.run(store, config)
    assert counts.written == 0 and counts.notes == (f"nothing was compared: {fingerprint.MISSING}",)


@pytest.mark.slow
def test_where_only_workers_lack_chromaprint_one_line_says_so_and_the_next_run_makes_the_set(library, monkeypatch):
    store, config, _ = library

    def extract_without(request, batches):
        from genreatlas.audio import fingerprint
        from genreatlas.extraction.network_files import extract_sent

        known, fingerprint.backend = fingerprint.backend, lambda: None
        try:
            yield from extract_sent(request, batches)
        finally:
            fingerprint.backend = known

    import_folder.run(store, config)
    with monkeypatch.context() as workers:
        workers.setattr(extract_features, "extract_sent", extract_without)
        counts = extract_features.run(store, config)
        line = f"{fingerprint.MISSING} on workers, but not on the driver"
        assert (counts.written, counts.failed, counts.notes) == (7, 0, (line,))
        assert not store.exists(table_of(get_feature_set("fingerprint")))
        (note,) = link_recordings.run(store, config).notes
        assert note.startswith("nothing was compared: no clip has a fingerprint")
        counts = extract_features.run(store, config)
        assert (counts.read, counts.written, counts.notes) == (0, 0, (line,))
    counts = extract_features.run(store, config)
    assert (counts.written, counts.notes) == (7, ())
    assert link_recordings.run(store, config).written == 7
