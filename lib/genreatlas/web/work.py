"""The site's own database: the queue of analyses, their results, and corrections. SQLite, or PostgreSQL by URL.

Every state is a row, so that a web process, a queue or the database may die at any moment: what was accepted is
analysed later. A result belongs to the visitor who asked for it; one of a song of the lake belongs to everybody.
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

#: Who asked for an analysis of a song of the lake.
EVERYBODY = ""
#: A running analysis that gave no sign for so long is somebody else's to do: its queue was killed.
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
    """One analysis: where its audio lies, and how far it is (queued, running, done or failed)."""

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
        """The result of an analysis that is done."""
        return dict(json.loads(self.result or "{}"))


class Work:
    """Queue, results and corrections.

    Parameters
    ----------
    url : SQLAlchemy's.
    prepares : whether the tables are made or brought up to date; else they are waited for.
    """

    def __init__(self, url: str, prepares: bool = True) -> None:
        self.database = Database(url, prepares)

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with self.database.changing() as connection:
            yield connection

    def find(self, visitor: str, cache_key: str, now: float | None = None) -> Job | None:
        """An analysis of the same audio by the same model for the same visitor that failed not and is not over."""
        mine = (_analyses.c.visitor == visitor) & (_analyses.c.cache_key == cache_key)
        live = (_analyses.c.state != "failed") & (_analyses.c.expires > (now or time.time()))
        return self._one(sa.select(_analyses).where(mine & live).order_by(_analyses.c.created.desc()).limit(1))

    def get(self, analysis_id: str, visitor: str, now: float | None = None) -> Job | None:
        """An analysis of a visitor, or one of everybody; None for those of others, too."""
        mine = (_analyses.c.analysis_id == analysis_id) & _analyses.c.visitor.in_([visitor, EVERYBODY])
        return self._one(sa.select(_analyses).where(mine & (_analyses.c.expires > (now or time.time()))))

    def of_visitor(self, visitor: str, most: int = 200) -> list[Job]:
        """Analyses of a visitor's uploads that are not over, the newest first."""
        mine = (_analyses.c.visitor == visitor) & (_analyses.c.expires > time.time())
        query = sa.select(_analyses).where(mine).order_by(_analyses.c.created.desc()).limit(most)
        with self._changing() as connection:
            return [Job(**row) for row in connection.execute(query).mappings()]

    def _one(self, query: Any) -> Job | None:
        with self._changing() as connection:
            row = connection.execute(query).mappings().first()
        return Job(**row) if row else None

    def add(self, visitor: str, cache_key: str, name: str, source: Path, uploaded: bool, keep_s: float) -> str:
        """Accept an analysis, and return its id, which cannot be guessed."""
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
        """How many analyses are queued or running."""
        query = sa.select(sa.func.count()).where(_analyses.c.state.in_(["queued", "running"]))
        with self._changing() as connection:
            return int(connection.execute(query).scalar_one())

    def before(self, job: Job) -> int:
        """How many analyses will be done before one that is queued."""
        earlier = (_analyses.c.state == "queued") & (_analyses.c.created < job.created)
        with self._changing() as connection:
            query = sa.select(sa.func.count()).where(earlier | (_analyses.c.state == "running"))
            return int(connection.execute(query).scalar_one())

    def take(self, now: float | None = None) -> Job | None:
        """Take the oldest analysis that nobody is at; one that killed its queue too often fails."""
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
                continue  # by another queue
            mine = replace(job, state="running", tries=job.tries + 1, seen=now)
            if job.tries >= MOST_TRIES:
                self.fail(mine, "crashed", f"Its analysis was killed {job.tries} times.")
                continue
            return mine

    def beat(self, job: Job) -> None:
        """Say that an analysis is being worked on."""
        self._set(job, (_analyses.c.tries == job.tries), seen=time.time())

    def finish(self, job: Job, result: Mapping[str, object]) -> bool:
        """Store a result, whoever else has taken the analysis up meanwhile; False: there is one already."""
        return self._set(job, sa.true(), state="done", result=json.dumps(result, allow_nan=False), seen=time.time())

    def fail(self, job: Job, reason: str, detail: str) -> bool:
        """Store why there is no result; False: somebody else is at it, or has found one."""
        mine = _analyses.c.tries == job.tries
        return self._set(job, mine, state="failed", reason=reason, detail=detail, seen=time.time())

    def _set(self, job: Job, condition: sa.ColumnElement[bool], **values: object) -> bool:
        running = (_analyses.c.analysis_id == job.analysis_id) & (_analyses.c.state == "running")
        with self._changing() as connection:
            return bool(connection.execute(sa.update(_analyses).where(running & condition).values(**values)).rowcount)

    def expire(self, now: float | None = None) -> list[Path]:
        """Forget analyses whose time is over, and return the uploads that are to be deleted."""
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
        """Store what a visitor says the genre of a song or of an upload is; the same again takes the place of it."""
        subject = (_corrections.c.song_id == song_id) if song_id else (_corrections.c.sha256 == sha256)
        row = {
            "correction_id": secrets.token_hex(16), "song_id": song_id, "sha256": sha256, "genre_id": genre_id,
            "said": said, "model_id": model_id, "visitor": visitor, "created": time.time(),
        }  # fmt: skip
        with self._changing() as connection:
            connection.execute(sa.delete(_corrections).where(subject & (_corrections.c.visitor == visitor)))
            connection.execute(sa.insert(_corrections).values(**row))

    def corrected(self, visitor: str) -> dict[str, str]:
        """What a visitor said of uploads: SHA-256 = genre."""
        mine = (_corrections.c.visitor == visitor) & _corrections.c.sha256.is_not(None)
        with self._changing() as connection:
            query = sa.select(_corrections.c.sha256, _corrections.c.genre_id).where(mine)
            return {row.sha256: row.genre_id for row in connection.execute(query)}

    def corrections(self) -> list[JsonObject]:
        """All corrections, oldest first."""
        with self._changing() as connection:
            rows = connection.execute(sa.select(_corrections).order_by(_corrections.c.created)).mappings()
            return [dict(row) for row in rows]
