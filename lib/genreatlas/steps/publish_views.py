"""Publish the SQL views: songs with genres and split, features by name, profiles, leaderboard, confusions, lineage.

In a catalog, views are created beside the tables, and replaced if their definition changed. A path-based store cannot
contain views: the definitions are only checked, and each session registers its own (`query` and the notebooks do).
"""

from genreatlas import checks
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.sql.registering import catalog_views, publish, register_views
from genreatlas.store import Store

READS = ("every table",)
WRITES: tuple[str, ...] = ()
SECTIONS = ("store", "splits")
check = checks.publish_views


def run(store: Store, config: Config) -> Counts:
    """Publish the views whose tables exist. Counts are views."""
    if store.location.prefix:
        planned = catalog_views(store, config.splits.name)
        written = sum(publish(store, view) for view in planned.views)
    else:
        planned = register_views(store, config.splits.name)
        written = len(planned.views)

    skipped = len(planned.skipped)
    return Counts(written + skipped, written, 0, skipped, planned.notes)
