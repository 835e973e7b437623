"""Write the HTML report: data, leaderboard, mistakes, features, and songs to listen to.

The report is rewritten when its configuration or one of its tables has changed. The folder contains index.html with its
images, map.html if a map of genres was drawn, and report.json, which records the inputs of the pages.
"""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from genreatlas import checks
from genreatlas.config import Config, to_toml
from genreatlas.counts import Counts
from genreatlas.ids import stable_id
from genreatlas.progress import progress
from genreatlas.provenance import package_code
from genreatlas.report import boards, copies, map_queries, page, playlists, probes, queries, similar, sounds, topics
from genreatlas.report.data import Player, ReportData
from genreatlas.report.map_page import render_map
from genreatlas.report.queries import songs_to_hear
from genreatlas.report.sounds import with_audio
from genreatlas.store import Reader, Store
from genreatlas.values import Row

READS = (
    "songs", "artists", "song_artists", "song_genres", "genre_parents", "clips", "quarantine", "splits", "feature_sets",
    "experiments", "training_genres", "models", "predictions", "metrics", "promotions", "drift", "features_<set>",
    "runs", "maps", "genre_profiles", "genre_positions", "genre_neighbours", "genre_regions", "genre_tree",
    "genre_typical_songs", "genre_evolution", "map_comparisons", "generated_playlists", "generated_playlist_songs",
    "neighbour_spaces", "neighbour_songs", "song_neighbours", "probes", "embeddings",
    "recordings", "linked_clips", "recording_links", "topic_models", "topics",
)  # fmt: skip
WRITES: tuple[str, ...] = ()
SECTIONS = ("report", "evaluate", "train", "splits", "map", "spotify", "playlist")
check = checks.write_report

_STATE = "report.json"
_MAP = "map.html"
#: Tables that sections read in addition to those of :mod:`genreatlas.report.queries`.
_ADDED = (
    *map_queries.INPUTS, *playlists.INPUTS, *similar.INPUTS, *probes.INPUTS, *copies.INPUTS, *topics.INPUTS,
)  # fmt: skip


def run(store: Store, config: Config) -> Counts:
    """Write ``index.html`` and its images below ``config.report.path``, unless they are up to date."""
    folder = config.report.path
    wanted = settings(config)
    before = _state(folder)
    if before.get("settings") == wanted and before.get("versions") == _versions(store, before):
        return Counts()
    with progress("write_report", 3, "parts") as bar:
        data = read_report(store, config)
        bar.advance()
        made = page.render(data)
        beside = dict(made.files)
        if data.map is not None:
            beside[_MAP] = render_map(data.map).encode("utf-8")
        bar.advance()
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in sorted(beside.items()):
            _replace(folder / name, content)
        _replace(folder / "index.html", made.html.encode("utf-8"))
        bar.advance()
    for name in set(before.get("files", ())) - set(beside):
        (folder / Path(name).name).unlink(missing_ok=True)
    versions = {name: version for name, version in data.versions.items() if name != "runs"}
    state = {"settings": wanted, "versions": versions, "files": sorted(beside)}
    _replace(folder / _STATE, json.dumps(state, indent=1, sort_keys=True).encode())
    notes = [f"report: {folder / 'index.html'}"]
    if data.map is not None:
        notes.append(f"map of {len(data.map.genres):,} genres: {folder / _MAP}")
    return Counts(read=1, written=1, notes=tuple(notes))


def read_report(store: Reader, config: Config) -> ReportData:
    """Read the data of the page, including audio that the driver decodes."""
    versions = {table.name: v for table in _ADDED if (v := store.version(table)) is not None}
    data = queries.read_report(store, config)
    every_board = boards.boards(data.models, data.scores, data.metric, data.level, data.labels)
    labels = queries.class_labels(store, config.train.level)
    chosen = songs_to_hear(data, store, labels, every_board[0] if every_board else None, config.report.seed)
    heard = with_audio(store, queries.with_clip(store, chosen).toPandas())
    heard["_name"] = [data.name(genre).casefold() for genre in heard["genre_id"]]
    shown, to_hear = topics.read_topics(store)
    players: dict[str, Player] = {}
    if config.report.embed_audio:
        for rows in (data.confused, to_hear):
            played = with_audio(store, rows.head(config.report.max_audio_songs))
            players |= {str(row["song_id"]): sounds.player(row) for _, row in played.iterrows()}
    return replace(
        data,
        sounds=tuple(sounds.sound(row) for _, row in heard.sort_values(["_name", "genre_id"]).iterrows()),
        players=players,
        configuration=to_toml(config, comments=False, secrets=False),
        map=map_queries.read_map(store, config, _accuracy(data, every_board)),
        similar=similar.read_similar(store, [str(song) for song in heard["song_id"]]),
        playlists=playlists.read_playlists(store, config),
        probes=probes.read_probes(store, config.splits.name),
        copies=copies.read_copies(store, config.splits.name),
        topics=shown,
        versions={**data.versions, **versions},
    )


def _accuracy(data: ReportData, every_board: list[boards.Board]) -> dict[str, float]:
    """F1 of each genre by the best model that is shown in detail."""
    close = every_board[0].shown_closely if every_board else []
    if not close:
        return {}
    scores = data.genre_scores
    mine = scores[(scores["model_id"] == close[0]["model_id"]) & (scores["metric"] == "f1")].dropna(subset="value")
    return dict(zip(mine["genre_id"], mine["value"].astype(float), strict=True))


def settings(config: Config) -> str:
    """Hash of the configuration and the code that the page depends on."""
    sections = [getattr(config, name).model_dump_json() for name in SECTIONS]
    package = files("genreatlas.report")
    return stable_id(*sections, *package_code(package, package / "templates", package / "map"))


def _versions(store: Reader, before: dict[str, dict[str, int]]) -> dict[str, int]:
    """Current versions of all tables that the report reads or that the last report read."""
    names = sorted({table.name for table in (*queries.INPUTS, *_ADDED)} | set(before.get("versions", {})))
    found = {name: store.version(name) for name in names}
    return {name: version for name, version in found.items() if version is not None}


def _state(folder: Path) -> Row:
    """Recorded inputs of the last report; empty if there is none or its page is missing."""
    if not (folder / "index.html").exists():
        return {}
    try:
        found = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    as_written = isinstance(found, dict) and isinstance(found.get("versions"), dict)
    names = found.get("files") if as_written else None
    return found if isinstance(names, list) and all(isinstance(name, str) for name in names) else {}


def _replace(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    half = path.with_name(f".{path.name}.part")
    half.write_bytes(content)
    half.replace(path)
