"""Import a folder of music: songs with their genres and artists, and one clip of every file.

Genres come from directories, tags, a manifest, or the metadata of FMA or MTG-Jamendo ([folder] labels). Unchanged files
are not opened again. Songs whose files are gone are retired ([sync]); a moved file remains the same song. Corrections
by visitors of the site (folder.corrections) replace a song's labels. Files without an audio extension (covers, texts,
lists) are ignored, unless their content is audio. All other files that cannot be used are written to quarantine.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from pyspark.sql import Row
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.audio.feature_sets import FEATURE_SETS, table_of
from genreatlas.audio.inspection import (
    REQUEST,
    RESULT,
    SOUND_REQUEST,
    SOUND_RESULT,
    InspectRequest,
    inspect_batches,
    sound_batches,
)
from genreatlas.audio.layouts import LAYOUTS
from genreatlas.audio.probe import is_audio
from genreatlas.audio.uris import path_bytes, path_to_uri, readable, uri_to_path
from genreatlas.collecting.corrections import Corrected, read_corrected, write_corrected
from genreatlas.collecting.folder_files import File, Plan, check_files, make_plan
from genreatlas.collecting.folder_gone import Former
from genreatlas.collecting.folder_known import CLIP_FACTS, REFUSAL_FACTS, SONG_FACTS, KnownClips, KnownSongs, Refusals
from genreatlas.collecting.folder_songs import LABELS, write_parents, write_songs
from genreatlas.collecting.retiring import check_share, fill_column, retire, settle
from genreatlas.config import Config, LimitsSection
from genreatlas.counts import Counts
from genreatlas.datasets.fetching import fetch_parts
from genreatlas.errors import MAX_TRIES, UNKNOWN_FAULTS, InputError, Reason
from genreatlas.extraction.attempts import attempts_after, end_at_environment_faults, end_where_all_fail
from genreatlas.progress import progress
from genreatlas.sources.folder.catalogue import SOURCE, Catalogue, Song, SongIds
from genreatlas.sources.folder.listing import Listing, is_sidecar, list_folder
from genreatlas.sources.folder.reading import read_catalogue
from genreatlas.sources.folder.tags import read_tags, song_of_tags
from genreatlas.sources.genres import Genre, GenreNames
from genreatlas.store import Reader, Store
from genreatlas.tables import CLIPS, QUARANTINE, SONG_GENRES, SONGS, Table
from genreatlas.tables import FEATURE_SETS as FEATURE_SETS_TABLE
from genreatlas.watching import watched

STEP = "import_folder"
READS: tuple[str, ...] = ("clips", "quarantine", "feature_sets")
WRITES = (
    "songs", "artists", "song_artists", "song_genres", "genre_parents", "clips", "quarantine", "features_<set>",
)  # fmt: skip
SECTIONS = ("folder", "sync", "clip", "limits")
check = checks.import_folder

#: Files in one Spark task. A task costs about 60 ms, as much as two files.
_TASK_FILES = 32
#: Files whose audio is hashed per commit, without decoding.
_SOUNDS_AT_ONCE = 2048
#: Difference in seconds above which a stored length is wrong; smaller ones come from different treatment of encoder
#: padding by decoder releases.
_WRONG_BY_S = 0.5


@dataclass
class _Import:
    """State of one run: the folder, its labels, and the stored data of the folder.

    Stored data are read once and updated here, because every read of a small table costs a quarter of a second.
    """

    store: Store
    config: Config
    listing: Listing
    sidecars: int
    catalogue: Catalogue
    names: GenreNames
    known: KnownClips
    refused: Refusals
    ids: SongIds
    former: Former
    corrected: Corrected

    def plan(self) -> Plan:
        """Plan of the remaining work."""
        return make_plan(
            self.listing, self.sidecars, self.catalogue, self.config, self.known, self.refused_for, self.ids
        )

    def refused_for(self, key: str, version: str) -> str | None:
        """Reason why a state of a file is not tried again; None if it is tried."""
        reason = self.refused.reason(key, version)
        if reason in UNKNOWN_FAULTS:
            tries = self.refused.attempts(key, version)
            return reason if tries is None or tries >= MAX_TRIES else None
        return reason


def run(store: Store, config: Config) -> Counts:
    """Bring the library tables up to date with the folder.

    Raises
    ------
    InputError : the folder has no audio, a file with labels cannot be used, or there are fewer than two genres.
    LimitReachedError : the share of songs that are gone exceeds ``sync.max_share``. The other work is done.
    """
    work = _open(store, config)
    counts = _look_again(work)
    plan = work.plan()
    plan = work.plan() if _follow_moves(work, plan.pending) else plan
    for staged in store.staged(STEP):
        staged.drop()  # left by a killed run of an older release; its files are still pending
    counts += _quarantine(work, plan.rejected)
    _forget_lines(work, plan)
    _forget_gone(work)
    with progress(STEP, len(plan.pending), "files") as bar:
        for number, files in enumerate(_chunks(plan.pending, config.folder.batch_files)):
            counts += _merge(work, plan, _inspect(work, files), is_first=number == 0)
            bar.advance(len(files))
    if work.catalogue.labels != "tags":
        _write_songs(work, _songs_with_clips(work, plan))
    if work.former.moved:
        counts += Counts(notes=(f"{work.former.moved} songs have new paths and keep their ids",))
    counts += _retire(work, work.plan(), counts)
    corrected = read_corrected(store, config.folder)  # again, because of new songs
    write_corrected(store, corrected)
    write_parents(store, config, work.names, work.catalogue)
    if counts.read or work.catalogue.labels == "tags":
        _require_genres(work, _stored_genres(store))
    return counts + Counts(notes=(*_notes(work, work.plan()), *corrected.notes()))


def _open(store: Store, config: Config) -> _Import:
    """List the folder, and read its labels and stored data. Nothing is written."""
    names = GenreNames(config.folder.genre_aliases, config.folder.genre_parents, config.folder.label_separator)
    listing = list_folder(path_bytes(config.folder.path))
    candidates = [entry for entry in listing.entries if not is_sidecar(listing, entry, is_audio)]
    files = [entry for entry in candidates if entry.kind != "closed_directory"]
    if not candidates:
        raise InputError(
            f"{readable(listing.root)}: none of {len(listing.entries)} files is audio. "
            "Set folder.path to the folder with the audio files."
        )
    catalogue = read_catalogue(listing, files, config.folder, names)
    max_mb = config.store.max_commit_mb
    clips = store.read(CLIPS).where(F.col("provider") == SOURCE).select(*CLIP_FACTS)
    known = KnownClips(fetch_parts(clips, "clip_id", max_mb, row_bytes=600))
    stored = store.read(SONGS).where(F.col("source") == SOURCE).select(*SONG_FACTS)
    songs = KnownSongs(fetch_parts(stored, "song_id", max_mb, row_bytes=400))
    ids = SongIds((row["song_id"], row["source_key"]) for row in songs.all())
    refused = store.read(QUARANTINE).where(F.col("stage") == STEP).select(*REFUSAL_FACTS)
    work = _Import(
        store=store,
        config=config,
        listing=listing,
        sidecars=len(listing.entries) - len(candidates),
        catalogue=catalogue,
        names=names,
        known=known,
        refused=Refusals(fetch_parts(refused, "key", max_mb, row_bytes=400)),
        ids=ids,
        former=Former.of(songs, listing, catalogue, known, ids),
        corrected=read_corrected(store, config.folder),
    )
    if catalogue.labels != "tags":
        genres = {genre.genre_id for song in catalogue.songs.values() for genre in song.genres}
        _require_genres(work, genres if len(genres) > 1 else genres | _stored_genres(store))
    return work


def _stored_genres(store: Reader) -> set[str]:
    return {row[0] for row in store.live(SONG_GENRES).select("genre_id").distinct().collect()}


def _require_genres(work: _Import, genres: set[str]) -> None:
    if len(genres) < 2:
        found = f"only {min(genres)!r}" if genres else "none"
        raise InputError(
            f"{readable(work.listing.root)}: at least two usable genres are needed, there is {found} "
            f"(folder.labels = {work.catalogue.labels!r}). The table quarantine has the files that were left out."
        )


def _chunks(files: Sequence[File], size: int) -> Iterable[Sequence[File]]:
    """Divide pending files, sorted by path, into chunks.

    Chunks are processed in order, so a run after a killed one has the same remaining chunks, and every clip gets the
    same ingest batch as without the interruption.
    """
    return (files[start : start + size] for start in range(0, len(files), size))


def _inspect(work: _Import, files: Sequence[File]) -> list[dict[str, Any]]:
    """Inspect files in the workers, and return results and failures.

    Nothing is staged: after a crash, the files of the chunk are inspected again, which takes seconds.
    """
    read = read_tags if work.catalogue.labels == "tags" else None
    request = InspectRequest(work.config.clip, work.config.limits, read)
    rows = [(file.uri, file.version, file.entry.size, file.entry.modified_ns) for file in files]
    frame = work.store.spark.createDataFrame(rows, REQUEST).repartition(math.ceil(len(rows) / _TASK_FILES))
    found = frame.mapInArrow(watched(partial(inspect_batches, request)), RESULT).toArrow()
    return cast(list[dict[str, Any]], found.to_pylist())


def _merge(work: _Import, plan: Plan, everything: list[dict[str, Any]], is_first: bool) -> Counts:
    """Write the rows of an inspected chunk. Clips and quarantine are written last, because they mark a file as done.

    Raises
    ------
    EnvironmentFaultError : something that every file needs is missing, or all files of the first chunk failed for
        unknown reasons. Successful files are merged; the others are not stored as failures.
    """
    config = work.config
    if is_first:
        before = work.refused.tried()
        end_where_all_fail(STEP, [row | {"key": row["uri"]} for row in everything], before)
    rows = [row for row in everything if row["reason"] != Reason.ENVIRONMENT_FAULT]
    songs = _songs_of(work, plan, rows)
    outcome = check_files(rows, plan.files, songs, work.known, config.folder.licence, work.ids)
    if work.catalogue.labels == "tags":
        _write_songs(work, outcome.songs.values())
    _write_clips(work, outcome.clips, outcome.replaced)
    _forget(work, [clip["uri"] for clip in outcome.clips])
    counts = _quarantine(work, outcome.quarantine)
    end_at_environment_faults(STEP, everything, len(everything))
    return counts + Counts(read=len(outcome.clips), written=len(outcome.clips))


def _songs_of(work: _Import, plan: Plan, rows: Iterable[dict[str, Any]]) -> dict[str, Song]:
    """Song of every inspected file by URI, from the list or from the file's tags."""
    files = {row["uri"]: plan.files[row["uri"]] for row in rows if row["uri"] in plan.files}
    if work.catalogue.labels != "tags":
        return {uri: work.catalogue.songs[file.song_key] for uri, file in files.items()}
    tags = {row["uri"]: json.loads(row["tags"]) for row in rows if row["tags"] is not None}
    songs = {uri: song_of_tags(file.song_key, tags[uri], work.names) for uri, file in files.items() if uri in tags}
    return _with_stored_names(work.store, songs)


def _with_stored_names(store: Reader, songs: dict[str, Song]) -> dict[str, Song]:
    """Use the stored names of genres, and for new genres the first spelling in sorted order."""
    spelt = sorted({(g.genre_id, g.name) for song in songs.values() for g in song.genres}, reverse=True)
    shown = dict(spelt)
    stored = store.live(SONG_GENRES).select("genre_id", "genre").distinct().collect()
    shown |= dict(sorted(((row[0], row[1]) for row in stored), reverse=True))
    return {
        uri: replace(song, genres=tuple(Genre(g.genre_id, shown[g.genre_id]) for g in song.genres))
        for uri, song in songs.items()
    }


def _write_clips(work: _Import, clips: list[dict[str, Any]], replaced: dict[str, str]) -> None:
    """Write new and changed clips, and set ``replaced_by`` of clips of changed files, in one commit."""
    store, now = work.store, datetime.now(UTC)
    known = [clip["clip_id"] for clip in clips if work.known.get(clip["clip_id"])]
    stored = {}
    if wanted := [*known, *replaced]:
        found = store.read(CLIPS).where(F.col("clip_id").isin(wanted)).collect()
        stored = {row["clip_id"]: row.asDict() for row in found}
    _drop_features(store, [c["clip_id"] for c in clips if stored.get(c["clip_id"], c)["audio_id"] != c["audio_id"]])
    rows = [clip | {"fetched_at": stored.get(clip["clip_id"], {}).get("fetched_at", now)} for clip in clips]
    rows += [stored[former] | {"replaced_by": replaced[former]} for former in sorted(replaced)]
    if rows:
        store.upsert(CLIPS, rows, update=True, compare=("modified_ns", "retired_at"))
    for row in rows:
        work.known.add(row)


def _drop_features(store: Store, clips: list[str]) -> None:
    """Delete features of clips with an unchanged start and another length, so that they are extracted again."""
    if clips:
        keys = store.spark.createDataFrame([(clip,) for clip in clips], "clip_id string")
        for table in _extracted_tables(store):
            store.delete(table, keys)


def _extracted_tables(store: Store) -> list[Table]:
    """Tables of all extracted feature sets, including networks that are not in this configuration."""
    tables = {table.name: table for table in map(table_of, FEATURE_SETS.values())}
    rows = store.read(FEATURE_SETS_TABLE).where("source = 'registry'").select("feature_set", "axis").distinct()
    for name, axis in rows.collect():
        if axis in LAYOUTS:  # a newer release may have written others
            other = LAYOUTS[axis].table(name, "")
            tables.setdefault(other.name, other)
    return list(tables.values())


def _write_songs(work: _Import, songs: Iterable[Song]) -> None:
    songs = work.corrected(songs, work.ids)
    write_songs(work.store, songs, work.catalogue.labels, work.config.folder.licence, work.ids, work.former.origin)


def _retire(work: _Import, plan: Plan, counts: Counts) -> Counts:
    """Retire songs and clips that the folder no longer has.

    Raises
    ------
    LimitReachedError : the share of songs that are gone exceeds ``sync.max_share``.
    """
    store, section = work.store, work.config.sync
    gone = work.former.gone(plan, work.refused.reason)
    name = readable(work.catalogue.origin or work.listing.root)
    if not gone.songs and not gone.clips:
        return Counts()
    if section.gone == "keep":
        kept = f"{len(gone.songs)} songs are gone from {name} and are still used (sync.gone = keep)"
        return Counts(notes=(kept,) if gone.songs else ())
    check_share(name, len(gone.songs), work.former.counting, section, counts)
    store.upgrade(SONG_GENRES)
    labels = store.live(SONG_GENRES).where(F.col("source").isin(*LABELS))
    named = store.spark.createDataFrame([(song,) for song in gone.songs], "song_id string")
    retire(store, SONG_GENRES, labels.join(named, "song_id", "left_semi").select(*SONG_GENRES.key))
    settle(store, gone.songs)
    retire(store, CLIPS, [(clip,) for clip in gone.clips])
    work.known.retire(gone.clips)
    note = f"retired: {len(gone.songs)} songs and {len(gone.clips)} clips that are gone from {name} (see [sync])"
    return Counts(read=len(gone.songs), written=len(gone.songs), notes=(note,))


def _follow_moves(work: _Import, pending: Sequence[File]) -> bool:
    """Find songs whose files were moved, by audio hash, before new files become new songs.

    Returns
    -------
    Whether songs may have moved, so that the plan has to be made again.
    """
    files = work.former.may_have_moved(pending)
    sounds: dict[str, tuple[str, str]] = {}
    for start in range(0, len(files), _SOUNDS_AT_ONCE):
        rows = [(f.uri, f.uri, None, f.entry.size, f.entry.modified_ns) for f in files[start : start + _SOUNDS_AT_ONCE]]
        sounds |= {row["key"]: (row["sha256"], row["sound_sha256"]) for row in _hash_sounds(work.store, rows)}
    work.former.follow(files, sounds)
    return bool(work.former.moved or sounds)


def _hash_sounds(store: Reader, rows: list[tuple[Any, ...]], limits: LimitsSection | None = None) -> list[Row]:
    """SHA-256 and audio hash of files that are unchanged since they were listed; with ``limits``, also their length."""
    frame = store.spark.createDataFrame(rows, SOUND_REQUEST).repartition(math.ceil(len(rows) / _TASK_FILES))
    found = frame.mapInArrow(watched(partial(sound_batches, limits=limits)), SOUND_RESULT).collect()
    return [row for row in found if row["sound_sha256"] is not None]


def _look_again(work: _Import) -> Counts:
    """Hash the audio of clips imported by an older release, so that copies with other tags are recognised.

    If that release stored another length of the file, its clip may have another position, and it is inspected again.
    """
    filled, wrong, last = 0, 0, ""
    while part := {clip["clip_id"]: clip for clip in work.known.without_sound(last, _SOUNDS_AT_ONCE)}:
        rows = [(c["clip_id"], c["uri"], c["mime"], c["bytes"], c["modified_ns"]) for c in part.values()]
        sounds = []
        for row in _hash_sounds(work.store, rows, work.config.limits):
            clip, length = part[row["key"]], row["duration_s"]
            if length is not None and abs(length - (clip["duration_s"] or length)) > _WRONG_BY_S:
                work.known.reopen(row["key"])
                wrong += 1
            else:
                sounds.append((row["key"], row["sound_sha256"]))
                work.known.add(clip | {"sound_sha256": row["sound_sha256"]})
        filled += fill_column(work.store, CLIPS, "sound_sha256", sounds)
        last = max(part)
    said = (
        (filled, f"hashed the sound of {filled} clips of an older release"),
        (wrong, f"{wrong} clips of an older release had a wrong length; their files are inspected again"),
    )
    return Counts(notes=tuple(line for count, line in said if count))


def _quarantine(work: _Import, rows: list[dict[str, Any]]) -> Counts:
    """Write rows of quarantine, replacing rows with the same keys."""
    if not rows:
        return Counts()
    about = {"stage": STEP, "run_id": work.store.run_id, "at": datetime.now(UTC)}
    states = [(row["key"], row["version"]) for row in rows]
    before = {state: tries for state in states if (tries := work.refused.attempts(*state))}
    rows = [
        row | about | {"attempts": attempts_after(row["reason"], row["key"], row["version"], before)} for row in rows
    ]
    _forget(work, [row["key"] for row in rows])
    work.store.upsert(QUARANTINE, rows)
    for row in rows:
        work.refused.add(row)
    return Counts(read=len(rows), failed=len(rows))


def _forget(work: _Import, keys: Iterable[str]) -> None:
    """Delete the quarantine rows of these keys."""
    if gone := work.refused.drop(keys):
        rows = [(STEP, key, version) for key, version in gone]
        work.store.delete(
            QUARANTINE, work.store.spark.createDataFrame(rows, "stage string, key string, version string")
        )


def _forget_lines(work: _Import, plan: Plan) -> None:
    """Delete quarantine rows of lines of the list that were corrected."""
    if work.catalogue.origin:
        lines = path_to_uri(work.catalogue.origin) + "#"
        _forget(work, [key for key in work.refused.keys(lines) if key not in plan.refused_lines])


def _forget_gone(work: _Import) -> None:
    """Delete quarantine rows of files that are no longer in the folder."""
    root = work.listing.root.rstrip(b"/") + b"/"
    there = {entry.path for entry in work.listing.entries}
    below = (key for key in work.refused.keys(work.former.root) if "#" not in key)
    gone = [key for key in below if uri_to_path(key).removeprefix(root) not in there]
    _forget(work, [key for key in gone if not work.former.is_hidden(key)])


def _songs_with_clips(work: _Import, plan: Plan) -> list[Song]:
    """Songs of the list with a live clip; their current data in the list are written to the tables."""
    keys = dict.fromkeys(plan.files.song_key(uri) for uri in plan.files if work.known.has_live(uri))
    return [work.catalogue.songs[key] for key in keys]


def _notes(work: _Import, plan: Plan) -> tuple[str, ...]:
    """Lines for the summary: one with counts of all entries, and notes on the listing and the labels."""
    quarantined = plan.entries - plan.clips - plan.ignored - plan.unnamed
    ignored = plan.ignored + plan.unnamed
    line = f"{plan.entries} entries: {plan.clips} clips, {quarantined} in quarantine, {ignored} ignored"
    if plan.unnamed:
        line += f" ({plan.ignored} not audio, {plan.unnamed} not named by the {work.catalogue.labels} list)"
    notes = [line]
    if work.listing.circular:
        first = readable(work.listing.circular[0])
        notes.append(
            "directory links not followed, because they lead to a folder that is already listed: "
            f"{len(work.listing.circular)} ({first})"
        )
    if left_out := work.listing.left_out:
        shown = ", ".join(readable(path) for path in left_out[:5]) + (", ..." if len(left_out) > 5 else "")
        files = work.listing.left_out_files
        notes.append(f"hidden, trash and system folders left out: {len(left_out)} with {files} files ({shown})")
    return (*notes, *work.catalogue.notes, *work.names.notes())
