"""Measure how well loudness, format, year or artist alone predict genres, and the effect of changing the sound.

Songs of the training part are predicted by models that were fitted without their fold. The test part is not used. A run
with the same configuration and tables does nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.audio.changes import CHANGES, can_encode_mp3
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.datasets.library import Library, read_library
from genreatlas.evaluation.probe_experiments import Probing, alone, artist
from genreatlas.evaluation.probe_reading import single_labels
from genreatlas.evaluation.probe_results import VERSION
from genreatlas.evaluation.probe_sound import apart, changes
from genreatlas.evaluation.probe_transfer import transfer
from genreatlas.ids import stable_id
from genreatlas.progress import progress
from genreatlas.provenance import git_commit
from genreatlas.store import Store
from genreatlas.tables import PROBES
from genreatlas.values import Row, RowView

READS = (
    "splits", "songs", "song_artists", "song_genres", "genre_parents", "clips", "feature_sets", "features_<set>",
    "vectors_<set>", "frames_<set>", "clip_audio", "changed_features", "recording_links",
)  # fmt: skip
WRITES = ("probes", "changed_features")
SECTIONS = ("probe", "train", "splits", "evaluate", "clip")
check = checks.probe

STEP = "probe"
#: Per kind of experiment, a function that returns its rows for one feature set. A row without a result has the reason.
_EXPERIMENTS: dict[str, Callable[[Probing], Iterable[dict[str, object]]]] = {
    "alone": alone,
    "artist": artist,
    "change": changes,
    "apart": apart,
    "transfer": transfer,
}


def run(store: Store, config: Config) -> Counts:
    """Run the experiments of ``[probe]`` whose songs, features or settings have changed.

    Raises
    ------
    ConfigError : the store has no such feature set.
    InputError : the split has no songs, or fewer than two genres have enough songs.
    """
    mine = F.col("split") == config.splits.name
    feature_sets = config.probe.feature_sets or config.train.feature_sets
    known = [row.asDict() for row in store.read(PROBES).where(mine).select(*PROBES.key, "inputs_id").collect()]
    library: Library | None = None
    counts = Counts()
    with progress(STEP, len(feature_sets) * len(config.probe.experiments), "experiments") as bar:
        for feature_set in feature_sets:
            library = library or read_library(store, config)
            probing = Probing(store, single_labels(config), library, feature_set)
            inputs = _inputs_id(config, probing.versions)
            before = [row for row in known if row["feature_set"] == feature_set]
            if before and all(row["inputs_id"] == inputs for row in before):
                bar.advance(len(config.probe.experiments), known=True)
                continue
            rows: list[RowView] = []
            for experiment in config.probe.experiments:
                rows += [row | {"inputs_id": inputs} for row in _EXPERIMENTS[experiment](probing)]
                bar.advance()
            counts += _write(store, rows, before)  # written per set, so that a killed run keeps finished sets
    return counts + _write(store, [], [row for row in known if row["feature_set"] not in feature_sets])


def _inputs_id(config: Config, versions: Mapping[str, int]) -> str:
    """Hash of all inputs of the results: settings, code versions and table versions."""
    sections = (getattr(config, name).model_dump_json() for name in SECTIONS)
    releases = (can_encode_mp3(), *(f"{name}={change.version}" for name, change in sorted(CHANGES.items())))
    return stable_id(
        VERSION, *sections, *releases, *(f"{name}={version}" for name, version in sorted(versions.items()))
    )


def _write(store: Store, rows: list[RowView], known: list[Row]) -> Counts:
    """Write new rows, and delete known rows that are not among them."""
    provenance = {"made_at": datetime.now(UTC), "git_commit": git_commit(), "run_id": store.run_id}
    written = [{**row, **provenance} for row in rows]
    if written:
        store.upsert(PROBES, written, update=True, compare=("inputs_id",))
    keys = {tuple(row[name] for name in PROBES.key) for row in written}
    gone = [key for row in known if (key := tuple(row[name] for name in PROBES.key)) not in keys]
    if gone:
        store.delete(PROBES, store.spark.createDataFrame(gone, ", ".join(f"{name} string" for name in PROBES.key)))
    whole = [row for row in written if row["genre_id"] == "*" and row["metric"] == "accuracy"]
    notes = tuple(f"{row['feature_set']}, {row['name']}: {row['sentence']}" for row in whole)
    left_out = sum(row["verdict"] == "left out" for row in whole)
    return Counts(read=len(whole), written=len(whole) - left_out, skipped=left_out, notes=notes)
