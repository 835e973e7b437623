"""Fan-out: fetch data for many keys with rate limits, retries and resumption. Used by all steps that send requests.

A step defines which keys are pending, how one key is fetched, and how results are merged::

    class PageFetch:                        # must be picklable: it is sent to executors
        providers = ("every_noise",)        # tried in this order, until one has the data
        hosts = ("everynoise.com",)         # hosts whose rate limits are divided among executors
        columns = "name string, body string"  # columns that are fetched for a key (Spark DDL)

        def open(self, settings):           # once per process or task; settings is [fan_out], or a share of it
            session = polite_session(settings, "every_noise", expects="html")

            def fetch(row, provider):       # row: the pending row as a dict; returns the columns, or raises FetchError
                return {"name": row["name"], "body": session.get(row["url"]).text}

            return fetch

    def pending() -> DataFrame: ...         # keys that are not done: `key` (string, unique) and columns for `fetch`
    def merge(staged: Staged) -> None: ...  # staged.frame: `key`, `provider` (NULL: none), `attempts`, the columns

    counts = fan_out(store, config.fan_out, "scrape_genres", pending, PageFetch(), merge)

``fetch`` raises :class:`.FetchError`. After a transient error the key is tried again when its retry is due, up to
``max_attempts`` times; after a final error the next provider is tried. :class:`.ProviderPausedError` leaves the
provider's keys for a later run, and other keys continue. Any other exception counts as transient, except faults of the
environment, which end the run.

Every try is a row of ``fetch_attempts``. Results are staged and merged in chunks; a chunk that a killed run staged is
merged first. If a provider is paused, ``counts.stopped()`` is a message with the number of remaining keys and the end
of the pause. A step finishes its other work, then raises :class:`.LimitReachedError` (exit code 3)::

    if counts.stopped():
        raise LimitReachedError(counts.stopped(), the_steps_counts)

Call it under the step's lease, which the runner of steps holds. After a crash, ``merge`` may be called twice for one
chunk, so it has to upsert.
"""

from genreatlas.fanout.run import FanOutCounts, fan_out
from genreatlas.fanout.work import Attempt, Fetch, FetchOne, Result

__all__ = ["Attempt", "FanOutCounts", "Fetch", "FetchOne", "Result", "fan_out"]
