"""The process that works through the queue of analyses, one at a time, each in a helper process that may crash."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlalchemy.exc import SQLAlchemyError

from genreatlas.audio.isolation import stop_helper
from genreatlas.audio.worker import warm_up
from genreatlas.config import Config
from genreatlas.config.joined import members_of
from genreatlas.errors import ClipError, GenreAtlasError
from genreatlas.sources.previews.by_id import fetch_track, parse_reference
from genreatlas.values import JsonObject
from genreatlas.web.analysing import Analyst
from genreatlas.web.hearing import draw
from genreatlas.web.places import Places, prepare
from genreatlas.web.published import Site
from genreatlas.web.rhythm import FEATURE_SET
from genreatlas.web.work import Job, Work

log = logging.getLogger(__name__)
_PAUSE_S = 0.2
_BEAT_S = 3.0
_EXPIRE_S = 60.0


class Queue:
    """Takes analyses from the queue and stores their results; tolerates times when the database is unavailable."""

    def __init__(self, config: Config, places: Places) -> None:
        self.config = config
        self.places = places
        self.work = Work(places.database, prepares=False)
        self.site = Site(config.web.path)
        self._analyst: Analyst | None = None
        self.ended = threading.Event()

    def analyst(self) -> Analyst:
        """The analyst of the current extract; a new one is created and warmed up when the extract changes."""
        found = self.site.extract
        if self._analyst is None or self._analyst.found is not found:
            self._analyst = Analyst(found, self.config.models.path, self.config)
            recipes = self._analyst.recipes
            names = {name for one in recipes for name in members_of(one.feature_set)}
            warm_up(frozenset({*names, FEATURE_SET}), recipes[0].clip)
            draw(_noise(), 22_050)
            self._analyst.warm()
            stop_helper()  # the next helper is forked with compiled code
        return self._analyst

    def run(self, parent: int) -> None:
        """Work until ``ended`` is set, or until the parent process has ended."""
        expired = 0.0
        with contextlib.suppress(GenreAtlasError):  # reported with the next analysis
            self.analyst()
        while not self.ended.is_set() and os.getppid() == parent:
            try:
                if time.monotonic() - expired > _EXPIRE_S:
                    self.tidy()
                    expired = time.monotonic()
                job = self.work.take()
            except SQLAlchemyError as error:
                log.warning("the database is not available; trying again: %s", type(error).__name__)
                self.ended.wait(1.0)
                continue
            if job is None:
                self.ended.wait(_PAUSE_S)
            else:
                self.do(job)

    def do(self, job: Job) -> None:
        """Run an analysis and store its result, or the reason for its failure."""
        with self._beating(job):
            try:
                answer = self._answer(job)
            except ClipError as error:
                write = partial(self.work.fail, job, error.reason.value, error.detail or "")
            except (GenreAtlasError, OSError) as error:
                words = str(error) if isinstance(error, GenreAtlasError) else "The file cannot be read. Send it again."
                write = partial(self.work.fail, job, "not_analysed", words)
            except Exception as error:
                log.exception("analysis %s", job.analysis_id)
                words = f"The analysis failed: {type(error).__name__}."
                write = partial(self.work.fail, job, "not_analysed", words)
            else:
                write = partial(self.work.finish, job, answer)
            stored = self._store(write)
        if job.uploaded and stored:
            Path(job.source).unlink(missing_ok=True)  # nothing needs it any more

    def _answer(self, job: Job) -> JsonObject:
        """Analyse a file, or the preview of a track, which is fetched here and deleted afterwards."""
        if job.uploaded or not job.source.startswith(("deezer:", "spotify:")):
            return self.analyst().analyse(Path(job.source))
        track = fetch_track(parse_reference(job.source), self.config)
        path = self.places.uploads / f"{job.analysis_id}.preview"
        try:
            path.touch(0o600)
            path.write_bytes(track.audio)
            answer = self.analyst().analyse(path)
        finally:
            path.unlink(missing_ok=True)
        return answer | {
            "track": {
                "service": track.reference.service, "track_id": track.reference.track_id, "link": track.reference.link,
                "title": track.title, "artist": track.artist, "preview_by": track.given_by,
            }
        }  # fmt: skip

    def _store(self, write: Callable[[], bool]) -> bool:
        """Write to the database, with retries until it can be reached; False if nothing was written."""
        while True:
            try:
                return write()
            except SQLAlchemyError as error:
                log.warning("the database is not available; the result is stored later: %s", type(error).__name__)
                if self.ended.wait(1.0):
                    return False

    @contextlib.contextmanager
    def _beating(self, job: Job) -> Iterator[None]:
        """Update the analysis every few seconds during the block, so that no other queue takes it."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(_BEAT_S):
                with contextlib.suppress(SQLAlchemyError):
                    self.work.beat(job)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def tidy(self) -> None:
        """Delete expired analyses, their uploads, and files older than ``web.keep_hours``."""
        for path in self.work.expire():
            path.unlink(missing_ok=True)
        oldest = time.time() - 3600 * self.config.web.keep_hours
        for path in self.places.uploads.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _noise() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-0.5, 0.5, 4 * 22_050).astype(np.float32)


def work_through(config: Config) -> None:
    """Run a queue in this process until SIGTERM, or until the parent process has ended."""
    queue = Queue(config, prepare(config))
    signal.signal(signal.SIGTERM, lambda *_: queue.ended.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C also reaches the server, which ends its queues
    queue.run(os.getppid())
