"""Write the read-only extract of the tables that the site shows. It replaces the previous extract atomically."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.resources import files

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.audio.feature_sets import FEATURE_SETS as REGISTRY
from genreatlas.audio.layouts import LAYOUTS
from genreatlas.audio.uris import FETCHED
from genreatlas.config import Config
from genreatlas.config.joined import column_of, members_of
from genreatlas.counts import Counts
from genreatlas.datasets.feature_tables import find_feature_table, known_feature_sets
from genreatlas.datasets.fetching import fetch, fetch_parts
from genreatlas.datasets.vectors import read_vectors, song_means
from genreatlas.errors import ModelError
from genreatlas.ids import stable_id
from genreatlas.models import aliases
from genreatlas.models.engines import reader_of
from genreatlas.playlists.reading import MEASURED, read_edges, read_measures
from genreatlas.report import map_lenses, map_queries
from genreatlas.report.map_data import MapData, MapExample
from genreatlas.report.map_page import map_content
from genreatlas.report.sounds import AUDIO_KEYS, PLAYED, with_audio
from genreatlas.store import Reader, Snapshot, Store
from genreatlas.tables import (
    ARTISTS,
    CLIPS,
    EXPERIMENTS,
    FEATURE_SETS,
    GENERATED_PLAYLIST_SONGS,
    GENERATED_PLAYLISTS,
    GENRE_NEIGHBOURS,
    GENRE_PARENTS,
    GENRE_POSITIONS,
    GENRE_PROFILES,
    GENRE_REGIONS,
    GENRE_TYPICAL_SONGS,
    METRICS,
    MODELS,
    NEIGHBOUR_SONGS,
    NEIGHBOUR_SPACES,
    PLAYLISTS,
    PREDICTIONS,
    SCORES,
    SONG_ARTISTS,
    SONG_GENRES,
    SONG_NEIGHBOURS,
    SONGS,
    SPLITS,
)
from genreatlas.values import JsonObject, RowView
from genreatlas.web import extract, publishing, rhythm
from genreatlas.web.site_data import SCHEMAS, SiteData, SongFeatures, SongVectors

READS = (
    "songs", "artists", "song_artists", "song_genres", "genre_parents", "clips", "clip_audio", "playlists",
    "generated_playlists", "generated_playlist_songs", "feature_sets", "features_<set>", "neighbour_spaces",
    "neighbour_songs", "song_neighbours", "maps", "genre_profiles", "genre_positions", "genre_neighbours",
    "genre_regions", "genre_tree", "genre_typical_songs", "genre_evolution", "map_comparisons", "models", "experiments",
    "metrics", "predictions", "scores", "splits", "promotions",
)  # fmt: skip
WRITES: tuple[str, ...] = ()
SECTIONS = ("web", "models", "splits", "retrain", "evaluate")
check = checks.publish_site

_SPACE = (
    "feature_set", "set_version", "preprocessing_id", "features", "centre", "spread", "mean", "variance",
    "scale_weight", "clip",
)  # fmt: skip


def run(store: Store, config: Config) -> Counts:
    """Write the extract below ``config.web.path`` if tables, month or settings have changed. Counts are songs."""
    month = f"{datetime.now(UTC):%Y-%m}"
    members = dict.fromkeys((*members_of(config.web.feature_set), *MEASURED))
    sets = [layout.table_name(one) for one in members for layout in LAYOUTS.values() if layout.joins]
    names = [*(name for name in READS if not name.endswith(">")), *sets, f"features_{rhythm.FEATURE_SET}"]
    versions = {name: found for name in names if (found := store.version(name)) is not None}
    extract_id = stable_id(extract.VERSION, month, sorted(versions.items()), _settings(config))
    present = publishing.current(config.web.path)
    if present is not None and present.name == extract_id:
        return Counts()
    data = read_site(store, config, month)
    publishing.publish(replace(data, versions=versions), config.web.path, extract_id)
    songs = len(data.tables["songs"])
    model = data.model["model_id"] if data.model else f"none: {data.model_reason}"
    notes = (f"site of {songs:,} songs: {config.web.path}, served by serve_web", f"model for uploads: {model}")
    return Counts(read=songs, written=songs, notes=notes)


#: Modules whose code determines the extract.
_MAKERS = ("extract.py", "distributions.py", "rhythm.py", "words.py", "matching.py")


def _settings(config: Config) -> str:
    """Hash of the inputs of the extract besides the tables: settings and code."""
    parts = [config.web.model_dump_json(), config.splits.name, config.retrain.alias, config.evaluate.part]
    package = files("genreatlas.web")
    parts += [(package / name).read_text(encoding="utf-8") for name in _MAKERS]
    return stable_id(*parts)


def read_site(reader: Reader, config: Config, month: str) -> SiteData:
    """Read all data of the site, each table at one version.

    Parameters
    ----------
    month : date of the extract, as YYYY-MM.
    """
    store = Snapshot(reader)
    model, reason = _model(store, config)
    space = _present_space(store)
    clips = _clips(store, config)
    audio = _audio(store, config, clips)
    playable = [
        held or str(uri).startswith("file:")
        for held, uri in zip(clips["sha256"].isin(set(audio)), clips["uri"], strict=True)
    ]
    silent = config.model_copy(update={"report": config.report.model_copy(update={"embed_audio": False})})
    drawn = map_queries.read_map(store, silent, _f1(store, config, model))
    found = None if drawn is None else _map(drawn, clips[playable])
    return SiteData(
        tables=_tables(store, config, model, space) | {"clips": pa.Table.from_pandas(clips, preserve_index=False)},
        features=_features(store, config),
        space={key: space[key] for key in _SPACE} if space else None,
        vectors=_vectors(store, config, space),
        model=model,
        model_reason=reason,
        map_content=found,
        audio=audio,
        title=config.web.title,
        month=month,
    )


def _tables(
    store: Reader, config: Config, model: Mapping[str, object] | None, space: Mapping[str, object] | None
) -> dict[str, pa.Table]:
    max_mb = config.store.max_commit_mb
    songs = store.live(SONGS).select(
        "song_id", "title", "artist", "album", "album_artist", "isrc", "spotify_id", "licence", "popularity",
        "track_number", "disc_number", "source", (F.col("duration_ms") / 1000).alias("duration_s"),
        F.coalesce("original_year", F.year("release_date")).cast("int").alias("year"),
    )  # fmt: skip
    labels = store.live(SONG_GENRES)
    listed = labels.where("playlist_id IS NOT NULL")
    frames = {
        "songs": (songs, "song_id", 400),
        "artists": (store.read(ARTISTS).select("artist_id", "name"), "artist_id", 100),
        "song_artists": (store.read(SONG_ARTISTS).select("song_id", "position", "artist_id"), "song_id", 100),
        "song_genres": (labels.groupBy("song_id", "genre_id").agg(F.min("genre").alias("genre")), "song_id", 120),
        "genre_parents": (store.read(GENRE_PARENTS).select("genre_id", "parent_id", "parent"), "genre_id", 100),
        "playlists": (_playlists(store), "playlist_id", 200),
        "playlist_songs": (_playlist_songs(store, listed), "playlist_id", 200),
        "neighbours": (_neighbours(store, config, space), "song_id", 100),
        "predictions": (_predictions(store, config, model), "song_id", 2000),
    }
    found = {name: fetch(frame, key, max_mb, size) for name, (frame, key, size) in frames.items()}
    found |= {"measures": _measures(store, config), "genre_edges": _edges(store)}
    return found | _rhythms(store, max_mb) | _genre_tables(store)


def _rhythms(store: Reader, max_mb: int) -> dict[str, pa.Table]:
    """Beats, bars and groove of clips; empty if the feature set was not extracted."""
    if rhythm.FEATURE_SET not in known_feature_sets(store):
        return {}
    rows = find_feature_table(store, rhythm.FEATURE_SET).rows(store)
    pattern = F.array(*rhythm.PATTERN).alias("pattern")
    return {"rhythms": fetch(rows.select("clip_id", *rhythm.TIMES, *rhythm.NUMBERS, pattern), "clip_id", max_mb, 2000)}


def _playlists(store: Reader) -> DataFrame:
    """Collected playlists, and the newest generated playlist of each name."""
    read = store.read(PLAYLISTS).where("kind = 'playlist'").groupBy("playlist_id").agg(F.min("name").alias("name"))
    read = read.withColumn("kind", F.lit("playlist"))
    made = store.read(GENERATED_PLAYLISTS).groupBy("name").agg(F.max_by("playlist_id", "sequence").alias("playlist_id"))
    return read.unionByName(made.withColumn("kind", F.lit("recipe")))


def _playlist_songs(store: Reader, listed: DataFrame) -> DataFrame:
    place = F.coalesce("position", F.lit(0)).alias("position")
    read = listed.select("playlist_id", place, "song_id", F.lit(None).cast("string").alias("reason"))
    made = store.read(GENERATED_PLAYLIST_SONGS).select("playlist_id", "position", "song_id", "reason")
    return read.unionByName(made)


def _present_space(store: Reader) -> dict[str, object] | None:
    rows = store.read(NEIGHBOUR_SPACES).orderBy(F.desc("sequence")).limit(1).collect()
    return rows[0].asDict() if rows else None


def _neighbours(store: Reader, config: Config, space: RowView | None) -> DataFrame:
    """Nearest songs of each song, without copies of its recording."""
    mine = F.col("space_id") == (space["space_id"] if space else "")
    near = store.read(SONG_NEIGHBOURS).where(mine & (F.col("rank") <= 2 * config.web.neighbours))
    recording = store.read(NEIGHBOUR_SONGS).where(mine).select("song_id", "recording")
    other = recording.select(F.col("song_id").alias("neighbour_song_id"), F.col("recording").alias("other"))
    near = (
        near.join(recording, "song_id")
        .join(other, "neighbour_song_id")
        .where("recording IS NULL OR other IS NULL OR recording <> other")
    )
    entry = F.struct("rank", "neighbour_song_id", "similarity")
    listed = near.groupBy("song_id").agg(F.array_sort(F.collect_list(entry)).alias("all"))
    first = listed.select("song_id", F.explode(F.slice("all", 1, config.web.neighbours)).alias("one"))
    return first.select("song_id", "one.*")


def _vectors(store: Reader, config: Config, space: RowView | None) -> SongVectors | None:
    if space is None:
        return None
    rows = store.read(NEIGHBOUR_SONGS).where(F.col("space_id") == space["space_id"])
    rows = rows.select("song_id", "vector", "recording", "local_scale", "fitted")
    width = len(space["features"])
    table = fetch(rows, "song_id", config.store.max_commit_mb, 150 + 8 * width)
    flat = table.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return SongVectors(
        np.asarray(table.column("song_id").to_pylist(), dtype=np.str_),
        flat.reshape(-1, width).astype(np.float32),
        table.column("recording").to_pylist(),
        table.column("local_scale").to_numpy(zero_copy_only=False).astype(np.float64),
        table.column("fitted").to_numpy(zero_copy_only=False).astype(np.bool_),
    )


def _measures(store: Reader, config: Config) -> pa.Table:
    """Tempo, key, loudness and energy of songs, as used for playlists."""
    ids = (
        fetch(store.live(SONGS).select("song_id"), "song_id", config.store.max_commit_mb).column("song_id").to_pylist()
    )
    ids = sorted(ids)
    found, _ = read_measures(store, config, pd.Series(np.arange(len(ids)), index=pd.Index(ids, dtype=object)))
    return pa.table({"song_id": pa.array(ids, pa.string()), **{name: pa.array(found[name]) for name in found}})


def _edges(store: Reader) -> pa.Table:
    rows = [{"genre_id": child, "parent_id": parent} for child, parent in read_edges(store)]
    return pa.Table.from_pylist(rows, schema=SCHEMAS["genre_edges"])


def _features(store: Reader, config: Config) -> SongFeatures | None:
    name = config.web.feature_set
    if not set(members_of(name)) <= known_feature_sets(store):
        return None
    vectors = read_vectors(store, "web.feature_set", name, (), "songs")
    parts = fetch_parts(vectors.frame, "song_id", config.store.max_commit_mb, vectors.row_bytes)
    means = [song_means(part, len(vectors.features)) for part in parts]
    units = _units(store, name)
    return SongFeatures(
        vectors.table.feature_set,
        vectors.features,
        tuple(units.get(one, "") for one in vectors.features),
        np.concatenate([ids for ids, _ in means]),
        np.concatenate([values for _, values in means]),
    )


def _units(store: Reader, name: str) -> dict[str, str]:
    members = members_of(name)
    rows = store.read(FEATURE_SETS).where(F.col("feature_set").isin(*members)).collect()
    return {
        column_of(row["feature_set"], row["feature"]) if len(members) > 1 else row["feature"]: row["unit"] or ""
        for row in rows
    }


def _model(store: Reader, config: Config) -> tuple[dict[str, object] | None, str]:
    """Facts of the model that analyses uploads, or None and the reason why there is none."""
    name = config.web.model
    if aliases.decisions(store, name) or store.read(MODELS).where(F.col("model_id") == name).count():
        row = aliases.resolve(store, name)
        return (_facts(row), "") if _is_usable(row) else (None, f"{name} needs Spark, or features that were imported")
    if name != config.retrain.alias:
        raise ModelError(f"web.model = {name!r}: no model has this id or alias.")
    scores = store.read(EXPERIMENTS).select("experiment_id", "score_mean").where("score_mean IS NOT NULL")
    rows = store.read(MODELS).join(scores, "experiment_id").orderBy(F.desc("score_mean"), "model_id").collect()
    best = next((row for row in rows if _is_usable(row)), None)
    return (
        (_facts(best), "") if best else (None, "no model was trained that needs no Spark, on features of this release")
    )


def _is_usable(row: Row) -> bool:
    """Whether a model can predict a file without Spark, from features of this release; baselines cannot."""
    try:
        engine = reader_of(row["format"])
    except ModelError:
        return False
    return not engine.needs_spark and not engine.is_baseline and set(members_of(row["feature_set"])) <= set(REGISTRY)


def _facts(row: Row) -> JsonObject:
    facts = {name: row[name] for name in ("model_id", "candidate", "feature_set", "set_version", "score_kind")}
    return facts | {"n_genres": len(row["classes"])}


def _f1(store: Reader, config: Config, model: Mapping[str, object] | None) -> dict[str, float]:
    if model is None:
        return {}
    rows = store.read(METRICS).where(
        (F.col("model_id") == model["model_id"]) & (F.col("metric") == "f1") & (F.col("unit") == "song")
        & (F.col("part") == config.evaluate.part) & (F.col("genre_id") != "*") & F.col("value").isNotNull()
    )  # fmt: skip
    return {row["genre_id"]: float(row["value"]) for row in rows.collect()}


def _predictions(store: Reader, config: Config, model: Mapping[str, object] | None) -> DataFrame:
    """Predictions of the model: of a song's first scored clip, otherwise of its evaluation."""
    mine = F.col("model_id") == (model["model_id"] if model else "")
    columns = ("song_id", "predicted", "confidence", "scores")
    said = F.struct(*columns[1:])
    scored = store.read(SCORES).where(mine & F.col("song_id").isNotNull())
    of_clips = scored.groupBy("song_id").agg(F.min_by(said, "item_id").alias("one")).select("song_id", "one.*")
    held_out = store.read(PREDICTIONS).where(mine & (F.col("part") != "train"))
    judged = held_out.groupBy("song_id").agg(F.min_by(said, "part").alias("one")).select("song_id", "one.*")
    judged = judged.join(of_clips.select("song_id"), "song_id", "left_anti")
    assigned = store.read(SPLITS).where(F.col("split") == config.splits.name)
    in_training = F.max_by("part", "split_version") == "train"
    parts = assigned.groupBy("song_id").agg(in_training.alias("heard_in_training"))
    return of_clips.select(*columns).unionByName(judged.select(*columns)).join(parts, "song_id", "left")


def _genre_tables(store: Reader) -> dict[str, pa.Table]:
    maps = map_lenses.present_maps(store)
    if maps.empty:
        return {}
    first = maps.iloc[0]
    mine = F.col("profile_id") == str(first["profile_id"])
    regions = store.read(GENRE_REGIONS).where(mine & (F.col("resolution") == "coarse"))
    regions = regions.select("region", F.col("name").alias("region_name"))
    profiles = store.read(GENRE_PROFILES).where(mine).select("genre_id", "region").join(regions, "region", "left")
    places = store.read(GENRE_POSITIONS).where(F.col("map_id") == str(first["map_id"]))
    places = places.join(profiles.drop("region"), "genre_id", "left")
    near = store.read(GENRE_NEIGHBOURS).where(mine)
    return {
        "places": places.select("genre_id", "x", "y", F.col("region_name").alias("region")).toArrow(),
        "genre_neighbours": near.select("genre_id", "rank", "neighbour_id", "similarity").toArrow(),
    }


def _clips(store: Reader, config: Config) -> pd.DataFrame:
    """Clips that browsers can play, each with a genre of its song; typical songs of a genre have a finite rank."""
    columns = (
        "song_id",
        "clip_id",
        "uri",
        "sha256",
        "start_s",
        "length_s",
        "duration_s",
        "mime",
        "provider",
        "ingest_batch",
    )
    rows = store.live(CLIPS).where(F.col("mime").isin(*PLAYED)).select(*columns)
    clips: pd.DataFrame = fetch(rows, "song_id", config.store.max_commit_mb, 500).to_pandas()
    labels = fetch(
        store.live(SONG_GENRES).select("song_id", "genre_id").distinct(), "song_id", config.store.max_commit_mb
    )
    typical = store.read(GENRE_TYPICAL_SONGS).groupBy("song_id", "genre_id").agg(F.min("rank").alias("rank")).toPandas()
    genres = labels.to_pandas().merge(typical, on=["song_id", "genre_id"], how="left")
    first = genres.sort_values(["rank", "song_id", "genre_id"]).drop_duplicates("song_id").set_index("song_id")
    first = first.reindex(clips["song_id"]).reset_index(drop=True)
    clips = clips.assign(genre_id=first["genre_id"], rank=first["rank"].astype(float).fillna(np.inf))
    return clips.sort_values(["rank", "clip_id"], ignore_index=True)


def _audio(store: Reader, config: Config, clips: pd.DataFrame) -> dict[str, bytes]:
    """Audio of fetched clips by sha256: at most ``web.clips_per_genre`` per genre, typical songs first."""
    fetched = clips[clips["uri"].astype("string").str.startswith(FETCHED).astype(bool)]
    chosen = fetched.groupby("genre_id", sort=True).head(config.web.clips_per_genre)
    if chosen.empty:
        return {}
    held = with_audio(store, chosen[["uri", *AUDIO_KEYS]].reset_index(drop=True))
    return {row["sha256"]: row["audio"] for row in held.to_dict("records") if row["audio"] is not None}


def _map(drawn: MapData, playable: pd.DataFrame) -> str:
    """Content of the map page as JSON, with clips of the site as examples."""
    clip_of: dict[str, tuple[str, float]] = {}
    for row in playable.to_dict("records"):  # the most typical first
        if isinstance(row["genre_id"], str):
            clip_of.setdefault(row["genre_id"], (row["clip_id"], row["rank"]))
    genres = []
    for genre in drawn.genres:
        clip_id, rank = clip_of.get(genre.genre_id, ("", np.inf))
        title = genre.typical[int(rank) - 1] if rank <= len(genre.typical) else "one of its songs"
        example = MapExample(title, source=f"clips/{clip_id}") if clip_id else None
        genres.append(replace(genre, example=example))
    shown = replace(drawn, genres=genres, report_href="")
    about = {name: value for name, value in asdict(replace(shown, genres=[], lenses=[])).items()
             if name in ("title", "drawn_from", "source", "missing")}  # fmt: skip
    return json.dumps(about | {"n_genres": len(genres), "content": map_content(shown)}, sort_keys=True)
