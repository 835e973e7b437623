"""Extraction on real files and Delta tables: incremental, once per audio, and safe to kill."""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pyspark import cloudpickle

from genreatlas.audio import worker
from genreatlas.audio.feature_sets import FEATURE_SETS, table_of
from genreatlas.audio.preprocess import preprocessing_id
from genreatlas.audio.uris import path_to_uri
from genreatlas.audio.worker import extract_batches, extract_clip
from genreatlas.config import Config, load_config
from genreatlas.counts import Counts
from genreatlas.errors import EnvironmentFaultError
from genreatlas.extraction import plan
from genreatlas.extraction.plan import ExtractionPlan
from genreatlas.ids import stable_id
from genreatlas.steps import extract_features
from genreatlas.store import Store
from genreatlas.tables import CLIPS, QUARANTINE
from genreatlas.tables import FEATURE_SETS as FEATURE_SETS_TABLE
from hostile_decoder import hostile_decoder

RATE = 22050
SETS = ("mfcc12_frames", "summary9", "loudness")


@pytest.fixture
def config(config: Config) -> Config:
    return configured(config)


def configured(config: Config, clip: dict | None = None, **extract) -> Config:
    extract = {"feature_sets": ("mfcc12_frames", "summary9"), "task_clips": 2} | extract
    return config.model_copy(
        update={
            "extract": config.extract.model_copy(update=extract),
            "clip": config.clip.model_copy(update=clip or {}),
        }
    )


def write_song(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    time = np.arange(2 * RATE) / RATE
    samples = 0.2 * np.sin(2 * np.pi * 110 * (seed + 2) * time) + 0.05 * rng.standard_normal(time.size)
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    return path


def clip(path: Path, name: str, batch: str = "b1", **changes) -> dict:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    status = path.stat()
    return {
        "clip_id": name,
        "ingest_batch": batch,
        "song_id": f"song-{name}",
        "provider": "folder",
        "audio_id": stable_id(digest, "0", "2"),
        "sha256": digest,
        "uri": path_to_uri(path),
        "path": path.name,
        "window_rule": "middle:30",
        "start_s": 0.0,
        "length_s": 2.0,
        "mime": "audio/wav",
        "sample_rate": RATE,
        "channels": 1,
        "duration_s": 2.0,
        "bytes": status.st_size,
        "modified_ns": status.st_mtime_ns,
    } | changes


def make_library(folder: Path) -> list[dict]:
    """Three songs in two batches; one of them is there twice, and one file is no audio.

    The second copy's own file is gone, so it can only get the features of the first.
    """
    paths = [write_song(folder / f"{name}.wav", seed) for seed, name in enumerate("abc")]
    text = folder / "text.mp3"
    text.write_text("this is not music")
    return [
        clip(paths[0], "a"),
        clip(paths[1], "b"),
        clip(text, "bad"),
        clip(paths[2], "c", batch="b2"),
        clip(paths[0], "d", batch="b2", uri=path_to_uri(folder / "gone.wav")),
    ]


@pytest.fixture
def library(tmp_path: Path) -> list[dict]:
    return make_library(tmp_path)


@dataclass(frozen=True)
class Extracted:
    """A library that was extracted once, for tests that only look."""

    store: Store
    config: Config
    library: list[dict]
    counts: Counts


@pytest.fixture(scope="module")
def extracted(spark, tmp_path_factory) -> Extracted:
    folder = tmp_path_factory.mktemp("extracted")
    config = configured(load_config([], [f'store.path="{folder / "tables"}"']))
    store = Store(spark, config.store, run_id="test-run")
    library = make_library(folder)
    add(store, *library)
    return Extracted(store, config, library, extract_features.run(store, config))


def add(store: Store, *rows: dict) -> None:
    store.upsert(CLIPS, store.frame(CLIPS, rows), update=True)


def rows_of(store: Store, name: str) -> dict[str, dict]:
    rows = store.read(table_of(FEATURE_SETS[name])).collect()
    found = {row["clip_id"]: row.asDict() for row in rows}
    assert len(found) == len(rows)
    return found


def everything(store: Store) -> dict[str, list[tuple]]:
    """Every table of the step, sorted by key, without volatile columns."""
    tables = [*(table_of(FEATURE_SETS[name]) for name in SETS), QUARANTINE, FEATURE_SETS_TABLE]
    stable = {table: [name for name in table.column_names if name not in table.volatile] for table in tables}
    return {t.name: sorted(map(repr, store.read(t).select(*columns).collect())) for t, columns in stable.items()}


def expected_rows(config: Config, row: dict) -> dict[str, dict]:
    """The rows that a clip must have, computed here and now."""
    path = row["uri"].removeprefix("file://")
    found = {}
    for result in extract_clip(path, 0.0, 2.0, config.clip, [FEATURE_SETS[name] for name in SETS]):
        feature_set = FEATURE_SETS[result.feature_set]
        cells = {
            "clip_id": row["clip_id"],
            "set_version": feature_set.version,
            "preprocessing_id": preprocessing_id(config.clip),
            "song_id": row["song_id"],
        }
        if result.frames is not None:
            cells |= {"n_frames": result.n_frames, "width": 12, "hop_s": 512 / RATE, "frames": result.frames.tolist()}
        else:
            cells |= {f.name: v for f, v in zip(feature_set.features, result.values.tolist(), strict=True)}
        found[feature_set.name] = cells
    return found


def test_every_set_gets_a_whole_row_for_every_good_clip(extracted):
    assert extracted.counts == Counts(read=5, written=4, failed=1)
    a, b, _, c, d = extracted.library
    expected = {row["clip_id"]: expected_rows(extracted.config, row) for row in (a, b, c)}
    expected["d"] = {
        name: row | {"clip_id": "d", "song_id": d["song_id"]}
        for name, row in expected_rows(extracted.config, a).items()
    }
    for name in SETS:
        assert rows_of(extracted.store, name) == {clip_id: sets[name] for clip_id, sets in expected.items()}


def test_a_bad_file_is_one_row_of_quarantine(extracted):
    (row,) = extracted.store.read(QUARANTINE).drop("at").collect()
    assert row["detail"]
    assert row.asDict() == {
        "stage": "extract_features",
        "key": "bad",
        "version": ExtractionPlan.of(extracted.store, extracted.config).version,
        "reason": "not_audio",
        "detail": row["detail"],
        "path": "text.mp3",
        "run_id": "test-run",
        "attempts": None,
    }


def test_the_registry_table_names_every_feature_in_order(extracted):
    rows = extracted.store.read(FEATURE_SETS_TABLE).orderBy("feature_set", "position").collect()
    assert [(row["feature_set"], row["position"], row["feature"], row["unit"]) for row in rows] == [
        (name, position, feature.name, feature.unit)
        for name in sorted(SETS)
        for position, feature in enumerate(FEATURE_SETS[name].features)
    ]
    assert {(row["axis"], row["source"], row["kind"]) for row in rows} == {
        ("summary", "registry", "numeric"),
        ("frames", "registry", "numeric"),
    }


def test_a_second_run_finds_nothing_to_do_and_commits_nothing(extracted):
    tables = [*(table_of(FEATURE_SETS[name]) for name in SETS), QUARANTINE, FEATURE_SETS_TABLE]
    versions = [extracted.store.version(table) for table in tables]
    assert extract_features.run(extracted.store, extracted.config) == Counts()
    assert [extracted.store.version(table) for table in tables] == versions


@pytest.mark.slow
def test_small_chunks_and_tasks_end_with_the_same_tables_as_one_large_one(extracted, store, config):
    add(store, *extracted.library)
    small = configured(config, chunk_clips=1, task_clips=1, batch_rows=1)
    divided = ExtractionPlan.of(store, small)
    assert len(divided.chunks(divided.pending())) == 2
    assert extract_features.run(store, small) == extracted.counts
    assert everything(store) == everything(extracted.store)


@pytest.mark.slow
def test_a_later_clip_of_known_audio_gets_its_rows_without_a_look_at_the_file(store, config, library, tmp_path):
    add(store, library[0])
    extract_features.run(store, configured(config, feature_sets=("summary9",)))
    twin = library[0] | {"clip_id": "twin", "ingest_batch": "b9", "uri": path_to_uri(tmp_path / "gone.wav")}
    add(store, twin)
    assert extract_features.run(store, configured(config, feature_sets=("summary9",))) == Counts(read=1, written=1)
    rows = rows_of(store, "summary9")
    assert rows["twin"] == rows["a"] | {"clip_id": "twin"}


@pytest.mark.slow
def test_a_new_set_is_added_without_touching_the_others(store, config, library):
    add(store, *library[:2])
    extract_features.run(store, configured(config, feature_sets=("mfcc12_frames",)))
    before = store.version("frames_mfcc12_frames"), store.version("features_loudness")
    assert not store.exists("features_summary9")
    assert extract_features.run(store, config) == Counts(read=2, written=2)
    assert (store.version("frames_mfcc12_frames"), store.version("features_loudness")) == before
    assert rows_of(store, "summary9").keys() == {"a", "b"}


@pytest.mark.slow
def test_other_preprocessing_makes_new_rows_beside_the_old_and_the_registry_table_follows(store, config, library):
    plain = configured(config, feature_sets=("summary9",))
    louder = configured(plain, clip={"normalise": "rms"}, feature_sets=("summary9",))

    def described():
        rows = store.read(FEATURE_SETS_TABLE).select("preprocessing_id").distinct().collect()
        return [row[0] for row in rows]

    add(store, library[0])
    extract_features.run(store, plain)
    assert extract_features.run(store, louder) == Counts(read=1, written=1)
    rows = store.read("features_summary9").orderBy("rms_mean").collect()
    assert {row["preprocessing_id"] for row in rows} == {preprocessing_id(c.clip) for c in (plain, louder)}
    assert rows[0]["rms_mean"] < rows[1]["rms_mean"]
    assert described() == [preprocessing_id(louder.clip)]
    assert extract_features.run(store, plain) == Counts()
    assert described() == [preprocessing_id(plain.clip)]


def test_replaced_clips_and_cuts_of_another_rule_are_left_alone(store, config, library):
    add(store, library[0] | {"replaced_by": "b"}, library[1] | {"window_rule": "start:10"})
    assert extract_features.run(store, config) == Counts()
    assert not store.exists("features_summary9")


def test_clips_that_kill_their_worker_are_quarantined_and_fail_no_task(store, config, tmp_path, monkeypatch):
    cloudpickle.register_pickle_by_value(sys.modules["hostile_decoder"])  # the workers have no tests' folder

    def extract_hostile(*arguments):
        with hostile_decoder():
            yield from extract_batches(*arguments)

    monkeypatch.setattr(extract_features, "extract_sent", extract_hostile)
    names = ("abort", "hang", "a", "b")
    add(store, *[clip(write_song(tmp_path / f"{name}.wav", seed), name) for seed, name in enumerate(names)])
    config = configured(config, feature_sets=("summary9",))
    limits = config.limits.model_copy(update={"clip_seconds": 3.0})
    assert extract_features.run(store, config.model_copy(update={"limits": limits})) == Counts(4, 2, 2)
    assert rows_of(store, "summary9").keys() == {"a", "b"}
    bad = store.read(QUARANTINE).select("key", "reason").collect()
    assert {row["key"]: row["reason"] for row in bad} == {"abort": "crashed", "hang": "too_slow"}


@pytest.mark.slow
def test_a_chunk_that_a_killed_run_staged_is_merged_first(store, config, library):
    killed = Store(store.spark, config.store, run_id="killed")
    add(store, *library)
    begun = ExtractionPlan.of(killed, config)
    extract_features.extract_chunk(begun, begun.stage().frame, ["b1"], 3, "killed-000000")
    assert not store.exists("features_summary9")
    for row in library:  # what was staged must not be needed again
        if row["ingest_batch"] == "b1" and row["clip_id"] != "a":
            Path(row["uri"].removeprefix("file://")).unlink()
    assert extract_features.run(store, config) == Counts(read=5, written=4, failed=1)
    assert store.staged("extract_features") == store.staged(plan.PENDING) == []
    assert rows_of(store, "summary9").keys() == {"a", "b", "c", "d"}
    assert extract_features.run(store, config) == Counts()


def test_the_sessions_own_batch_size_is_put_back(spark, store):
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(key, None)
    with extract_features.arrow_batches(store, 5):
        assert spark.conf.get(key) == "5"
        with extract_features.arrow_batches(store, 6):
            assert spark.conf.get(key) == "6"
        assert spark.conf.get(key) == "5"
    assert spark.conf.get(key, None) == before


def broken(error_of):
    """Extraction whose worker meets an exception for those clips for which ``error_of`` returns one."""

    def extract_broken(request, batches):
        isolated = worker.run_isolated

        def run(function, request_, row, *others, **how):
            if error := error_of(row["copies"][0]["clip_id"]):
                raise error
            return isolated(function, request_, row, *others, **how)

        worker.run_isolated = run
        try:
            yield from extract_batches(request, batches)
        finally:
            worker.run_isolated = isolated

    return extract_broken


@pytest.mark.slow
def test_what_is_missing_around_the_clips_ends_the_step_and_leaves_them_to_do(store, config, library, monkeypatch):
    add(store, *library)
    config = configured(config, feature_sets=("summary9",))
    lacking = broken(lambda clip: ModuleNotFoundError("No module named 'soxr'") if clip != "b" else None)
    monkeypatch.setattr(extract_features, "extract_sent", lacking)
    with pytest.raises(EnvironmentFaultError, match=r"3 of 4 files.*No module named 'soxr'\. Install what is missing"):
        extract_features.run(store, config)
    assert rows_of(store, "summary9").keys() == {"b"}
    # exceptions that nobody foresaw, for all of a first chunk
    monkeypatch.setattr(extract_features, "extract_sent", broken(lambda clip: RuntimeError("odd")))
    with pytest.raises(EnvironmentFaultError, match=r"all 3 files of the first chunk failed.*RuntimeError: odd"):
        extract_features.run(store, config)
    assert store.read(QUARANTINE).isEmpty()
    # and for one clip: it is tried three times, and once more by the next release
    monkeypatch.setattr(
        extract_features, "extract_sent", broken(lambda clip: RuntimeError("odd") if clip == "c" else None)
    )
    version = ExtractionPlan.of(store, config).version
    earlier = {"stage": "extract_features", "key": "c", "reason": "features_failed", "detail": "odd"}
    by_an_older_release = {"version": version.rpartition(":")[0], "attempts": None}
    store.upsert(QUARANTINE, [earlier | by_an_older_release, earlier | {"version": version, "attempts": 2}])
    assert extract_features.run(store, config) == Counts(4, 2, 2)
    bad = store.read(QUARANTINE).where("key = 'c'").collect()
    assert [(row["reason"], row["attempts"], row["version"]) for row in bad] == [("features_failed", 3, version)]
    monkeypatch.setattr(extract_features, "extract_sent", extract_batches)
    assert extract_features.run(store, config).read == 0
    monkeypatch.setattr(plan, "quarantine_version", lambda *_: version + ".1")
    assert extract_features.run(store, config) == Counts(2, 1, 1)
    assert [row["key"] for row in store.read(QUARANTINE).collect()] == ["bad"]
