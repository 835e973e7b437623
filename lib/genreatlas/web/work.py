"""Queue of analyses, results and corrections in the site's database (SQLite, or PostgreSQL by URL).

All state is in the database: if a web process, a queue or the database dies, accepted uploads are analysed later. A
result is visible only to the visitor who requested it; results for songs of the lake are visible to everybody.
"""

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from genreatlas.values import JsonObject
from genreatlas.web.database import Database, metadata

#: Visitor of analyses of songs of the lake.
EVERYBODY = ""
#: A running analysis that was not updated for this time (s) is taken by another queue: its queue was killed.
STALE_S = 15.0
MOST_TRIES = 3

_analyses = sa.Table(
    "analyses",
    metadata,
    sa.Column("analysis_id", sa.String(40), primary_key=True),
    sa.Column("visitor", sa.String(64), nullable=False),
    sa.Column("cache_key", sa.String(64), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("uploaded", sa.Boolean, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("seen", sa.Float, nullable=False),
    sa.Column("expires", sa.Float, nullable=False),
    sa.Column("result", sa.Text),
    sa.Column("reason", sa.String(40)),
    sa.Column("detail", sa.Text),
    sa.Index("analyses_by_state", "state", "created"),
    sa.Index("analyses_by_key", "visitor", "cache_key"),
)
_corrections = sa.Table(
    "corrections",
    metadata,
    sa.Column("correction_id", sa.String(40), primary_key=True),
    sa.Column("song_id", sa.Text),
    sa.Column("sha256", sa.String(64)),
    sa.Column("genre_id", sa.Text, nullable=False),
    sa.Column("said", sa.Text),
    sa.Column("model_id", sa.Text),
    sa.Column("visitor", sa.String(64), nullable=False),
    sa.Column("created", sa.Float, nullable=False),
)


@dataclass(frozen=True)
class Job:
    """One analysis: source of the audio, and state (queued, running, done or failed)."""

    analysis_id: str
    visitor: str
    cache_key: str
    name: str
    source: str
    uploaded: bool
    state: str
    tries: int
    created: float
    seen: float
    expires: float
    result: str | None = None
    reason: str | None = None
    detail: str | None = None

    @property
    def answer(self) -> JsonObject:
        """Result of a completed analysis."""
        return dict(json.loads(self.result or "{}"))


class Work:
    """Queue, results and corrections.

    Parameters
    ----------
    url : SQLAlchemy URL.
    prepares : see :class:`genreatlas.web.database.Database`.
    """

    def __init__(self, url: str, prepares: bool = True) -> None:
        self.database = Database(url, prepares)

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with self.database.changing() as connection:
            yield connection

    def find(self, visitor: str, cache_key: str, now: float | None = None) -> Job | None:
        """A visitor's newest analysis with this cache key that has not failed or expired; None if there is none."""
        mine = (_analyses.c.visitor == visitor) & (_analyses.c.cache_key == cache_key)
        live = (_analyses.c.state != "failed") & (_analyses.c.expires > (now or time.time()))
        return self._one(sa.select(_analyses).where(mine & live).order_by(_analyses.c.created.desc()).limit(1))

    def get(self, analysis_id: str, visitor: str, now: float | None = None) -> Job | None:
        """An analysis of a visitor or of :data:`EVERYBODY`; None if missing, expired or of another visitor."""
        mine = (_analyses.c.analysis_id == analysis_id) & _analyses.c.visitor.in_([visitor, EVERYBODY])
        return self._one(sa.select(_analyses).where(mine & (_analyses.c.expires > (now or time.time()))))

    def of_visitor(self, visitor: str, most: int = 200) -> list[Job]:
        """Unexpired analyses of a visitor, newest first."""
        mine = (_analyses.c.visitor == visitor) & (_analyses.c.expires > time.time())
        query = sa.select(_analyses).where(mine).order_by(_analyses.c.created.desc()).limit(most)
        with self._changing() as connection:
            return [Job(**row) for row in connection.execute(query).mappings()]

    def _one(self, query: Any) -> Job | None:
        with self._changing() as connection:
            row = connection.execute(query).mappings().first()
        return Job(**row) if row else None

    def add(self, visitor: str, cache_key: str, name: str, source: Path, uploaded: bool, keep_s: float) -> str:
        """Queue an analysis and return its id, which is random; it expires after ``keep_s`` seconds."""
        now = time.time()
        analysis_id = secrets.token_hex(16)
        values = {
            "analysis_id": analysis_id, "visitor": visitor, "cache_key": cache_key, "name": name, "source": str(source),
            "uploaded": uploaded, "state": "queued", "tries": 0, "created": now, "seen": now, "expires": now + keep_s,
        }  # fmt: skip
        with self._changing() as connection:
            connection.execute(sa.insert(_analyses).values(**values))
        return analysis_id

    def waiting(self) -> int:
        """Number of analyses that are queued or running."""
        query = sa.select(sa.func.count()).where(_analyses.c.state.in_(["queued", "running"]))
        with self._changing() as connection:
            return int(connection.execute(query).scalar_one())

    def before(self, job: Job) -> int:
        """Number of analyses ahead of a queued one."""
        earlier = (_analyses.c.state == "queued") & (_analyses.c.created < job.created)
        with self._changing() as connection:
            query = sa.select(sa.func.count()).where(earlier | (_analyses.c.state == "running"))
            return int(connection.execute(query).scalar_one())

    def take(self, now: float | None = None) -> Job | None:
        """Take the oldest free analysis; one that was tried :data:`MOST_TRIES` times without a result is set to failed.

        None if the queue is empty.
        """
        now = now or time.time()
        free = (_analyses.c.state == "queued") | ((_analyses.c.state == "running") & (_analyses.c.seen < now - STALE_S))
        while True:
            job = self._one(sa.select(_analyses).where(free).order_by(_analyses.c.created).limit(1))
            if job is None:
                return None
            same = (_analyses.c.analysis_id == job.analysis_id) & (_analyses.c.tries == job.tries)
            same &= (_analyses.c.state == job.state) & (_analyses.c.seen == job.seen)
            with self._changing() as connection:
                taken = connection.execute(
                    sa.update(_analyses).where(same).values(state="running", tries=job.tries + 1, seen=now)
                ).rowcount
            if not taken:
                continue  # taken by another queue
            mine = replace(job, state="running", tries=job.tries + 1, seen=now)
            if job.tries >= MOST_TRIES:
                self.fail(mine, "crashed", f"The process that analyses the file was killed {job.tries} times.")
                continue
            return mine

    def beat(self, job: Job) -> None:
        """Record that an analysis is still being worked on."""
        self._set(job, (_analyses.c.tries == job.tries), seen=time.time())

    def finish(self, job: Job, result: Mapping[str, object]) -> bool:
        """Store a result, even if another queue has taken the analysis meanwhile; False if it is no longer running."""
        return self._set(job, sa.true(), state="done", result=json.dumps(result, allow_nan=False), seen=time.time())

    def fail(self, job: Job, reason: str, detail: str) -> bool:
        """Store the reason of a failure; False if another queue has taken the analysis, or it is no longer running."""
        mine = _analyses.c.tries == job.tries
        return self._set(job, mine, state="failed", reason=reason, detail=detail, seen=time.time())

    def _set(self, job: Job, condition: sa.ColumnElement[bool], **values: object) -> bool:
        running = (_analyses.c.analysis_id == job.analysis_id) & (_analyses.c.state == "running")
        with self._changing() as connection:
            return bool(connection.execute(sa.update(_analyses).where(running & condition).values(**values)).rowcount)

    def expire(self, now: float | None = None) -> list[Path]:
        """Delete expired analyses, and return the uploaded files to delete."""
        over = _analyses.c.expires <= (now or time.time())
        with self._changing() as connection:
            query = sa.select(_analyses.c.source).where(over & _analyses.c.uploaded)
            uploads = [Path(source) for (source,) in connection.execute(query)]
            connection.execute(sa.delete(_analyses).where(over))
        return uploads

    def correct(
        self, visitor: str, genre_id: str, *, song_id: str | None = None, sha256: str | None = None,
        said: str | None = None, model_id: str | None = None,
    ) -> None:  # fmt: skip
        """Store a visitor's genre for a song or an upload; it replaces the visitor's earlier correction."""
        subject = (_corrections.c.song_id == song_id) if song_id else (_corrections.c.sha256 == sha256)
        row = {
            "correction_id": secrets.token_hex(16), "song_id": song_id, "sha256": sha256, "genre_id": genre_id,
            "said": said, "model_id": model_id, "visitor": visitor, "created": time.time(),
        }  # fmt: skip
        with self._changing() as connection:
            connection.execute(sa.delete(_corrections).where(subject & (_corrections.c.visitor == visitor)))
            connection.execute(sa.insert(_corrections).values(**row))

    def corrected(self, visitor: str) -> dict[str, str]:
        """A visitor's corrections of uploads: genre_id by SHA-256."""
        mine = (_corrections.c.visitor == visitor) & _corrections.c.sha256.is_not(None)
        with self._changing() as connection:
            query = sa.select(_corrections.c.sha256, _corrections.c.genre_id).where(mine)
            return {row.sha256: row.genre_id for row in connection.execute(query)}

    def corrections(self) -> list[JsonObject]:
        """All corrections, oldest first."""
        with self._changing() as connection:
            rows = connection.execute(sa.select(_corrections).order_by(_corrections.c.created)).mappings()
            return [dict(row) for row in rows]
