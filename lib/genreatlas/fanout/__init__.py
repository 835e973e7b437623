"""The fan-out: one implementation of fetching something for many keys, for every step that asks the outside world.

A step says what is pending, how one key is fetched, and how what was fetched is merged::

    class PageFetch:                        # picklable: it travels to executors
        providers = ("every_noise",)        # asked in this order, until one has it
        hosts = ("everynoise.com",)         # whose rates the executors divide among themselves
        columns = "name string, body string"  # what is fetched for a key (Spark DDL)

        def open(self, settings):           # once per process or task; settings is [fan_out], or a share of it
            session = polite_session(settings, "every_noise", expects="html")

            def fetch(row, provider):       # row: the pending row as a dict; returns the columns, or raises FetchError
                return {"name": row["name"], "body": session.get(row["url"]).text}

            return fetch

    def pending() -> DataFrame: ...         # of keys not done: `key` (string, unique) and whatever `fetch` needs
    def merge(staged: Staged) -> None: ...  # of staged.frame: `key`, `provider` (NULL: none), `attempts`, the columns

    counts = fan_out(store, config.fan_out, "scrape_genres", pending, PageFetch(), merge)

``fetch`` raises :class:`.FetchError`: a transient one brings the key back when it is due, up to
``max_attempts``; a final one lets the next provider have it; :class:`.ProviderPausedError` leaves the
provider's keys for a later run while everything else goes on. Any other exception counts as transient.

Every try is a row of ``fetch_attempts``. Results are staged and merged in chunks; a chunk that a
killed run staged is merged first. Where a provider is paused, ``counts.stopped()`` says until when and
what is left: a step does what else it can, then raises :class:`.LimitReachedError` (exit code 3) with it::

    if counts.stopped():
        raise LimitReachedError(counts.stopped(), the_steps_counts)

Call it under the step's lease, which the
runner of steps holds. ``merge`` may be called twice for one chunk after a crash, so it upserts.
"""

from genreatlas.fanout.run import FanOutCounts, fan_out
from genreatlas.fanout.work import Attempt, Fetch, FetchOne, Result

__all__ = ["Attempt", "FanOutCounts", "Fetch", "FetchOne", "Result", "fan_out"]
