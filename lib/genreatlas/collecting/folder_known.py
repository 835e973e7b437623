"""What the store knows of a folder: its clips, its songs, and what was refused.

A million clips as Python objects take gigabytes. So they lie in temporary databases (SQLite) that are gone with the
process: in memory as far as they are small, and on the driver's disk where they are not.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

#: Columns of ``clips`` that an import needs of every clip of the folder.
CLIP_FACTS = (
    "clip_id", "uri", "song_id", "bytes", "modified_ns", "window_rule", "ingest_batch", "replaced_by", "retired_at",
    "sha256", "sound_sha256", "mime", "duration_s",
)  # fmt: skip
#: Columns of ``songs`` that it needs of every song of the folder.
SONG_FACTS = ("song_id", "source_key", "listed_in", "retired_at")
#: Columns that it needs of its own rows of ``quarantine``.
REFUSAL_FACTS = ("key", "version", "reason", "attempts")

#: Pages of one database that stay in memory, in 2**10 bytes.
_CACHE_KB = 32 << 10
#: Rows that are in memory at once, on their way in or out.
_ROWS_AT_ONCE = 5000
_LIVE = "replaced_by IS NULL AND retired_at IS NULL"

Row = dict[str, Any]


class _Rows:
    """A temporary table.

    Parameters
    ----------
    columns : their names; the first ``n_key`` of them are the key.
    indexes : what else rows are looked up by, as SQL.
    parts : rows to begin with. Indexes are made after them: row by row, the same takes minutes.
    """

    def __init__(self, columns: Sequence[str], n_key: int, indexes: Sequence[str], parts: Iterable[pa.Table]) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # a database without a name is a file without one
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
        """Take in one row, in place of the one that has its key."""
        self._db.execute(self._insert, [_stored(row[name]) for name in self.columns])

    def _where(self, condition: str, *values: Any) -> Iterator[Row]:
        """Rows in any order. Nothing is to be written while they are read: make a list of them first."""
        found = self._db.execute(f"{self._all} WHERE {condition}", values)
        while some := found.fetchmany(_ROWS_AT_ONCE):
            for values in some:
                yield dict(zip(self.columns, values, strict=True))

    def _count(self, condition: str) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM rows WHERE {condition}").fetchone()[0])


def _stored(value: Any) -> Any:
    """Of a time, only that it is there matters."""
    return value if value is None or isinstance(value, int | float | str) else str(value)


class KnownClips(_Rows):
    """The clips that the store has, as far as an import needs them; grows with every chunk."""

    def __init__(self, parts: Iterable[pa.Table] = ()) -> None:
        # The first index has all that is asked for each file, so that files in the order of their paths read it once.
        state = "uri, bytes, modified_ns, window_rule, song_id, replaced_by, retired_at"
        super().__init__(CLIP_FACTS, 1, (state, "song_id", "sha256", "sound_sha256"), parts)

    def get(self, clip_id: str) -> Row | None:
        """The clip of an id."""
        return next(self._where("clip_id = ?", clip_id), None)

    def at(self, uri: str) -> list[Row]:
        """Clips of a file, those of its former states too."""
        return list(self._where("uri = ?", uri))

    def live_at(self, uri: str) -> list[Row]:
        """Clips of a file that count."""
        return list(self._where(f"uri = ? AND {_LIVE}", uri))

    def has_live(self, uri: str) -> bool:
        """Whether a clip that counts was cut from a file."""
        return self._db.execute(f"SELECT 1 FROM rows WHERE uri = ? AND {_LIVE}", (uri,)).fetchone() is not None

    def of_song(self, song_id: str) -> list[Row]:
        """Clips of a song, those that count no longer too."""
        return list(self._where("song_id = ?", song_id))

    def is_done(self, uri: str, size: int, modified_ns: int, rule: str, song_id: str) -> bool:
        """Whether a clip that counts was cut from this state of a file, by this rule, for this song."""
        state = "uri = ? AND bytes = ? AND modified_ns = ? AND window_rule = ? AND song_id = ?"
        found = self._db.execute(
            f"SELECT 1 FROM rows WHERE {state} AND {_LIVE}", (uri, size, modified_ns, rule, song_id)
        )
        return found.fetchone() is not None

    def has_below(self, song_id: str, root: str) -> bool:
        """Whether a song has a clip of a file below a folder."""
        return any(clip["uri"].startswith(root) for clip in self.of_song(song_id))

    def live(self) -> Iterator[Row]:
        """Clips that count: no other took their place, and their files are there."""
        return self._where(_LIVE)

    def retire(self, clip_ids: Iterable[str]) -> None:
        """Let clips count no longer."""
        self._db.executemany("UPDATE rows SET retired_at = 'now' WHERE clip_id = ?", ((one,) for one in clip_ids))

    def reopen(self, clip_id: str) -> None:
        """Let a clip's file be looked at as if it had changed."""
        self._db.execute("UPDATE rows SET modified_ns = NULL WHERE clip_id = ?", (clip_id,))

    def without_sound(self, after: str, most: int) -> list[Row]:
        """Clips that count and whose sound was never hashed, in the order of their ids."""
        lacking = f"clip_id > ? AND sound_sha256 IS NULL AND {_LIVE} ORDER BY clip_id LIMIT ?"
        return list(self._where(lacking, after, most))

    def copies(self, *sounds: str | None) -> list[Row]:
        """Clips, retired ones too, that hold one of these sounds (hashes of bytes or of sound), by where they lie."""
        found: dict[str, Row] = {}
        for sound in filter(None, sounds):
            for column in ("sha256", "sound_sha256"):
                found |= {clip["clip_id"]: clip for clip in self._where(f"{column} = ? AND replaced_by IS NULL", sound)}
        return sorted(found.values(), key=lambda clip: (clip["uri"], clip["clip_id"]))


class KnownSongs(_Rows):
    """The songs of folders that the store has, as they were when the import began, and which of them are of this one.

    Those that this folder or list named once are in its scope (:meth:`mark`); another one's are left alone.
    """

    def __init__(self, parts: Iterable[pa.Table] = ()) -> None:
        super().__init__((*SONG_FACTS, "scope"), 1, (), (_with_scope(part) for part in parts))

    def get(self, song_id: str) -> Row | None:
        """The song of an id."""
        return next(self._where("song_id = ?", song_id), None)

    def all(self) -> Iterator[Row]:
        """All songs: those that count first, then in the order of their ids."""
        return self._where("true ORDER BY retired_at IS NOT NULL, song_id")

    def in_scope(self) -> Iterator[Row]:
        """Songs that this folder or list named once."""
        return self._where("scope")

    def counting(self) -> int:
        """How many of these count."""
        return self._count("scope AND retired_at IS NULL")

    def mark(self, is_ours: Callable[[Row], bool]) -> None:
        """Say of every song whether this folder or list named it once."""

        def scope(*values: Any) -> int | None:
            return 1 if is_ours(dict(zip(SONG_FACTS, values, strict=True))) else None

        self._db.create_function("scope_of", len(SONG_FACTS), scope)
        self._db.execute(f"UPDATE rows SET scope = scope_of({', '.join(SONG_FACTS)})")


def _with_scope(part: pa.Table) -> pa.Table:
    return part.append_column("scope", pa.nulls(part.num_rows, pa.int64()))


class Refusals(_Rows):
    """This step's rows of ``quarantine``: key and version of what was refused, with the reason."""

    def __init__(self, parts: Iterable[pa.Table] = ()) -> None:
        super().__init__(REFUSAL_FACTS, 2, (), parts)

    def reason(self, key: str, version: str) -> str | None:
        """Why the state of a file is in quarantine; None where it is not."""
        reason: str | None = self._one("reason", key, version)
        return reason

    def attempts(self, key: str, version: str) -> int | None:
        """Runs that met an unknown fault of this state of a file; None where it met none, or an older release did."""
        attempts: int | None = self._one("attempts", key, version)
        return attempts

    def tried(self) -> set[str]:
        """Keys of files that met an unknown fault."""
        return {key for (key,) in self._db.execute("SELECT key FROM rows WHERE attempts IS NOT NULL")}

    def keys(self, prefix: str) -> list[str]:
        """Keys that begin so."""
        last = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        found = self._db.execute("SELECT DISTINCT key FROM rows WHERE key >= ? AND key < ?", (prefix, last))
        return [key for (key,) in found]

    def drop(self, keys: Iterable[str]) -> list[tuple[str, str]]:
        """Forget all states of files; returns their keys and versions."""
        gone: list[tuple[str, str]] = []
        for key in set(keys):
            gone += self._db.execute("SELECT key, version FROM rows WHERE key = ?", (key,)).fetchall()
            self._db.execute("DELETE FROM rows WHERE key = ?", (key,))
        return gone

    def _one(self, column: str, key: str, version: str) -> Any:
        found = self._db.execute(f"SELECT {column} FROM rows WHERE key = ? AND version = ?", (key, version)).fetchone()
        return None if found is None else found[0]
