"""Stored clips, songs and quarantine rows of folders, for look-ups during an import.

A million clips as Python objects take gigabytes. So rows are kept in temporary SQLite databases, which are in memory
while they are small, otherwise on the driver's disk, and are deleted with the process.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

#: Columns of ``clips`` that an import needs.
CLIP_FACTS = (
    "clip_id", "uri", "song_id", "bytes", "modified_ns", "window_rule", "ingest_batch", "replaced_by", "retired_at",
    "sha256", "sound_sha256", "mime", "duration_s",
)  # fmt: skip
#: Columns of ``songs`` that an import needs.
SONG_FACTS = ("song_id", "source_key", "listed_in", "retired_at")
#: Columns of ``quarantine`` that an import needs.
REFUSAL_FACTS = ("key", "version", "reason", "attempts")

#: Cache size of one database in KiB.
_CACHE_KB = 32 << 10
#: Number of rows that are inserted or fetched at once.
_ROWS_AT_ONCE = 5000
_LIVE = "replaced_by IS NULL AND retired_at IS NULL"

Row = dict[str, Any]


class _Rows:
    """A temporary table.

    Parameters
    ----------
    columns : names of the columns; the first ``n_key`` are the key.
    indexes : columns of further indexes, as SQL.
    parts : initial rows. Indexes are created after inserting them, because updating indexes per row takes minutes.
    """

    def __init__(self, columns: Sequence[str], n_key: int, indexes: Sequence[str], parts: Iterable[pa.Table]) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # an empty name creates a temporary file
        for setting in (f"cache_size = -{_CACHE_KB}", "journal_mode = OFF", "synchronous = OFF"):
            self._db.execute(f"PRAGMA {setting}")
        self.columns = columns
        self._all = f"SELECT {', '.join(columns)} FROM rows"
        self._insert = f"INSERT OR REPLACE INTO rows VALUES ({', '.join('?' * len(columns))})"
        self._db.execute(f"CREATE TABLE rows ({', '.join(columns)})")
        for part in parts:
            for batch in part.select(columns).to_batches(max_chunksize=_ROWS_AT_ONCE):
                values = [map(_stored, column.to_pylist()) for column in batch.columns]
                self._db.execute("BEGIN")
                self._db.executemany(self._insert, zip(*values, strict=True))
                self._db.execute("COMMIT")
        self._db.execute(f"CREATE UNIQUE INDEX by_key ON rows ({', '.join(columns[:n_key])})")
        for number, index in enumerate(indexes):
            self._db.execute(f"CREATE INDEX by_{number} ON rows ({index})")

    def add(self, row: Mapping[str, Any]) -> None:
        """Insert a row, or replace the row with the same key."""
        self._db.execute(self._insert, [_stored(row[name]) for name in self.columns])

    def _where(self, condition: str, *values: Any) -> Iterator[Row]:
        """Iterate over rows in any order. The table must not be changed meanwhile; convert to a list first."""
        found = self._db.execute(f"{self._all} WHERE {condition}", values)
        while some := found.fetchmany(_ROWS_AT_ONCE):
            for values in some:
                yield dict(zip(self.columns, values, strict=True))

    def _count(self, condition: str) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM rows WHERE {condition}").fetchone()[0])


def _stored(value: Any) -> Any:
    """Convert a value for SQLite. Times become texts, because only their presence is needed."""
    return value if value is None or isinstance(value, int | float | str) else str(value)


class KnownClips(_Rows):
    """Stored clips of folders; updated with every chunk of the import."""

    def __init__(self, parts: Iterable[pa.Table] = ()) -> None:
        # The first index covers the query for each file, so that files sorted by path read it sequentially.
        state = "uri, bytes, modified_ns, window_rule, song_id, replaced_by, retired_at"
        super().__init__(CLIP_FACTS, 1, (state, "song_id", "sha256", "sound_sha256"), parts)

    def get(self, clip_id: str) -> Row | None:
        """Clip with an id; None if there is none."""
        return next(self._where("clip_id = ?", clip_id), None)

    def at(self, uri: str) -> list[Row]:
        """Clips of a file, including those of its former states."""
        return list(self._where("uri = ?", uri))

    def live_at(self, uri: str) -> list[Row]:
        """Live clips of a file."""
        return list(self._where(f"uri = ? AND {_LIVE}", uri))

    def has_live(self, uri: str) -> bool:
        """Whether a file has a live clip."""
        return self._db.execute(f"SELECT 1 FROM rows WHERE uri = ? AND {_LIVE}", (uri,)).fetchone() is not None

    def of_song(self, song_id: str) -> list[Row]:
        """Clips of a song, including replaced and retired ones."""
        return list(self._where("song_id = ?", song_id))

    def is_done(self, uri: str, size: int, modified_ns: int, rule: str, song_id: str) -> bool:
        """Whether a live clip exists for this state of a file, window rule and song."""
        state = "uri = ? AND bytes = ? AND modified_ns = ? AND window_rule = ? AND song_id = ?"
        found = self._db.execute(
            f"SELECT 1 FROM rows WHERE {state} AND {_LIVE}", (uri, size, modified_ns, rule, song_id)
        )
        return found.fetchone() is not None

    def has_below(self, song_id: str, root: str) -> bool:
        """Whether a song has a clip of a file below a folder."""
        return any(clip["uri"].startswith(root) for clip in self.of_song(song_id))

    def live(self) -> Iterator[Row]:
        """Live clips, that is, neither replaced nor retired."""
        return self._where(_LIVE)

    def retire(self, clip_ids: Iterable[str]) -> None:
        """Mark clips as retired."""
        self._db.executemany("UPDATE rows SET retired_at = 'now' WHERE clip_id = ?", ((one,) for one in clip_ids))

    def reopen(self, clip_id: str) -> None:
        """Treat a clip's file as changed, so that it is inspected again."""
        self._db.execute("UPDATE rows SET modified_ns = NULL WHERE clip_id = ?", (clip_id,))

    def without_sound(self, after: str, most: int) -> list[Row]:
        """Live clips without an audio hash, sorted by id: at most ``most`` clips after the id ``after``."""
        lacking = f"clip_id > ? AND sound_sha256 IS NULL AND {_LIVE} ORDER BY clip_id LIMIT ?"
        return list(self._where(lacking, after, most))

    def copies(self, *sounds: str | None) -> list[Row]:
        """Clips, including retired ones, with one of these hashes (of bytes or of audio), sorted by URI."""
        found: dict[str, Row] = {}
        for sound in filter(None, sounds):
            for column in ("sha256", "sound_sha256"):
                found |= {clip["clip_id"]: clip for clip in self._where(f"{column} = ? AND replaced_by IS NULL", sound)}
        return sorted(found.values(), key=lambda clip: (clip["uri"], clip["clip_id"]))


class KnownSongs(_Rows):
    """Stored songs of all folders, as of the start of the import.

    Songs that this folder or list had before are marked as in scope (:meth:`mark`); songs of others are not changed.
    """

    def __init__(self, parts: Iterable[pa.Table] = ()) -> None:
        super().__init__((*SONG_FACTS, "scope"), 1, (), (_with_scope(part) for part in parts))

    def get(self, song_id: str) -> Row | None:
        """Song with an id; None if there is none."""
        return next(self._where("song_id = ?", song_id), None)

    def all(self) -> Iterator[Row]:
        """All songs, live ones first, sorted by id."""
        return self._where("true ORDER BY retired_at IS NOT NULL, song_id")

    def in_scope(self) -> Iterator[Row]:
        """Songs in scope."""
        return self._where("scope")

    def counting(self) -> int:
        """Number of live songs in scope."""
        return self._count("scope AND retired_at IS NULL")

    def mark(self, is_ours: Callable[[Row], bool]) -> None:
        """Mark the songs for which ``is_ours`` is true as in scope."""

        def scope(*values: Any) -> int | None:
            return 1 if is_ours(dict(zip(SONG_FACTS, values, strict=True))) else None

        self._db.create_function("scope_of", len(SONG_FACTS), scope)
        self._db.execute(f"UPDATE rows SET scope = scope_of({', '.join(SONG_FACTS)})")


def _with_scope(part: pa.Table) -> pa.Table:
    return part.append_column("scope", pa.nulls(part.num_rows, pa.int64()))


class Refusals(_Rows):
    """Rows of this step in ``quarantine``, by key and version."""

    def __init__(self, parts: Iterable[pa.Table] = ()) -> None:
        super().__init__(REFUSAL_FACTS, 2, (), parts)

    def reason(self, key: str, version: str) -> str | None:
        """Reason why a state of a file is in quarantine; None if it is not."""
        reason: str | None = self._one("reason", key, version)
        return reason

    def attempts(self, key: str, version: str) -> int | None:
        """Number of runs in which this state of a file had an unknown fault; None if none, or if not recorded."""
        attempts: int | None = self._one("attempts", key, version)
        return attempts

    def tried(self) -> set[str]:
        """Keys of files with an unknown fault."""
        return {key for (key,) in self._db.execute("SELECT key FROM rows WHERE attempts IS NOT NULL")}

    def keys(self, prefix: str) -> list[str]:
        """Keys that start with a prefix."""
        last = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        found = self._db.execute("SELECT DISTINCT key FROM rows WHERE key >= ? AND key < ?", (prefix, last))
        return [key for (key,) in found]

    def drop(self, keys: Iterable[str]) -> list[tuple[str, str]]:
        """Delete all states of files; returns their keys and versions."""
        gone: list[tuple[str, str]] = []
        for key in set(keys):
            gone += self._db.execute("SELECT key, version FROM rows WHERE key = ?", (key,)).fetchall()
            self._db.execute("DELETE FROM rows WHERE key = ?", (key,))
        return gone

    def _one(self, column: str, key: str, version: str) -> Any:
        found = self._db.execute(f"SELECT {column} FROM rows WHERE key = ? AND version = ?", (key, version)).fetchone()
        return None if found is None else found[0]
