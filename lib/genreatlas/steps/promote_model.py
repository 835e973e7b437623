"""Compare the best new model with the model in use, and replace that only if the new one is better.

Both models predict the songs of the promotion part, which is used neither for training nor as test part. The challenger
must be better by more than [retrain] min_gain, and no genre may fall by more than max_genre_fall.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Row
from pyspark.sql import functions as F

from genreatlas import checks
from genreatlas.config import Config
from genreatlas.counts import Counts
from genreatlas.evaluation import leaderboard
from genreatlas.evaluation.contest import Contest, Duel, Rules, compete
from genreatlas.metrics import metric_for, version_of
from genreatlas.models import aliases
from genreatlas.provenance import git_commit
from genreatlas.store import Reader, Store
from genreatlas.tables import EXPERIMENTS, MODELS, PROMOTION_GENRES, PROMOTIONS

READS = (
    "models", "experiments", "promotions", "splits", "songs", "song_artists", "song_genres", "genre_parents", "clips",
    "feature_sets", "features_<set>", "vectors_<set>", "frames_<set>", "events_<set>", "recording_links",
)  # fmt: skip
WRITES = ("promotions", "promotion_genres")
SECTIONS = ("retrain", "train", "splits", "models")
check = checks.promote_model


def run(store: Store, config: Config) -> Counts:
    """Compare champion and challenger, once for every pair of models and set of songs.

    Raises
    ------
    InputError, ModelError : see :func:`genreatlas.evaluation.contest.compete`.
    """
    with store.lease(aliases.LEASE):
        decided = aliases.decisions(store, config.retrain.alias)
        if decided:  # a killed run may have stored its decision without writing the file
            aliases.write_file(config, config.retrain.alias, decided[-1]["model_id"])
        challenger, left_out = best_candidate(store, config)
        if challenger is None:
            return Counts(notes=("No model of [retrain] engines was trained yet: run train_models.",))
        if not decided:
            row = {"action": "first", "model_id": challenger["model_id"], "reason": "There was no champion."}
            return _write(store, config, decided, row | {"challenger_id": challenger["model_id"]}, left_out)
        champion = aliases.model_row(store, decided[-1]["model_id"])
        if champion["model_id"] == challenger["model_id"]:
            note = f"The {config.retrain.alias} {_name(champion)} is still the best of all candidates."
            return Counts(notes=(note, *left_out))
        rules = _rules(config)
        contest = compete(store, config, champion, challenger, rules)
        if contest.evidence_id in {row["evidence_id"] for row in decided}:
            return Counts(notes=(f"{_name(challenger)} was decided on before: {decided[-1]['reason']}", *left_out))
        promoted, why = verdict(contest, rules)
        row = {
            "action": "promoted" if promoted else "kept",
            "model_id": (challenger if promoted else champion)["model_id"],
            "champion_id": champion["model_id"],
            "challenger_id": challenger["model_id"],
            "reason": why,
            "evidence_id": contest.evidence_id,
            "split": challenger["split"],
            "split_version": contest.split_version,
            "metric": contest.everything.metric,
            "metric_version": version_of(contest.everything.metric),
            "n_absent": contest.everything.n_absent,
            **_figures("", contest.everything),
            **_figures("known_", contest.known),
            "min_gain": rules.min_gain,
            "max_genre_fall": rules.max_genre_fall,
            "confidence": rules.confidence,
            "genres_fallen": list(contest.everything.fallen),
            "n_genres_untested": _untested(contest.everything, champion),
            "n_decided_before": _decided_before(store, challenger["split"]),
        }
        notes = (f"{_name(challenger)} against {_name(champion)}", *_lines(contest), *left_out)
        return _write(store, config, decided, row, notes, contest.everything)


def best_candidate(store: Reader, config: Config) -> tuple[Row | None, tuple[str, ...]]:
    """Current model with the best mean score over the folds, among ``retrain.engines`` and ``train.feature_sets``.

    Only scores of the same metric and metric version are ranked: the current version of ``train.metric``, or, if no
    model has such a score, the metric and version of the model that was fitted last.

    Returns
    -------
    The model's row, None if there is none, and a note on each model that was left out.
    """
    rows = store.read(MODELS).toPandas()
    found = leaderboard.current_models(
        rows, split=config.splits.name, level=config.train.level, labels=config.train.labels
    )
    found = found[found["engine"].isin(config.retrain.engines) & found["feature_set"].isin(config.train.feature_sets)]
    if found.empty:
        return None, ()
    columns = ("experiment_id", "metric", "metric_version", "score_mean")
    scores = store.read(EXPERIMENTS).select(*columns).where(F.col("score_mean").isNotNull())
    rows = found.drop(columns=["metric"], errors="ignore").merge(scores.toPandas(), on="experiment_id")
    if rows.empty:
        return None, ()
    rows["definition"] = rows["metric"] + " version " + rows["metric_version"].fillna(1).astype(int).astype(str)
    wanted = metric_for(config.train.metric, config.train.labels == "multi")
    today = f"{wanted} version {version_of(wanted)}"
    if today not in set(rows["definition"]):
        today = rows.sort_values(["fitted_at", "model_id"])["definition"].iloc[-1]
    others = rows[rows["definition"] != today]
    notes = tuple(
        f"left out: {row['candidate']} ({row['model_id'][:8]}), whose fold score is {row['definition']}; the other "
        f"models have {today}. train_models computes it for the models that are still in its candidate list."
        for row in others.to_dict("records")
    )
    ranked = rows[rows["definition"] == today].sort_values(["score_mean", "model_id"], ascending=[False, True])
    return aliases.model_row(store, str(ranked["model_id"].iloc[0])), notes


def verdict(contest: Contest, rules: Rules) -> tuple[bool, str]:
    """Whether the challenger replaces the champion, and the reason as a sentence."""
    duel = contest.everything
    if duel.n_groups < rules.min_groups:
        return False, (
            f"The promotion part has {duel.n_songs} songs in {duel.n_groups} groups that both models can classify, "
            f"fewer than retrain.min_groups = {rules.min_groups}. Raise splits.promotion, or add songs."
        )
    figures = (
        f"{duel.metric} {duel.champion:.3f} → {duel.challenger:.3f}, gain {duel.difference:+.3f}, at least "
        f"{duel.low:+.3f} with confidence {rules.confidence:g}, on {duel.n_songs} songs in {duel.n_groups} groups"
    )
    if not duel.better:
        return False, f"Not better by more than {rules.min_gain:g}: {figures}."
    if duel.fallen:
        return False, f"Better, but {', '.join(duel.fallen)} fell by more than {rules.max_genre_fall:g}: {figures}."
    return True, f"Better: {figures}."


def _rules(config: Config) -> Rules:
    settings = config.retrain
    return Rules(
        settings.min_gain,
        settings.max_genre_fall,
        settings.confidence,
        settings.bootstrap,
        settings.min_groups,
        settings.seed,
        settings.min_genre_groups,
    )


def _write(
    store: Store,
    config: Config,
    decided: Sequence[Row],
    row: dict[str, Any],
    notes: tuple[str, ...],
    duel: Duel | None = None,
) -> Counts:
    alias, sequence = config.retrain.alias, decided[-1]["sequence"] + 1 if decided else 1
    key = {"alias": alias, "sequence": sequence}
    genres = [
        key
        | {
            "genre_id": genre.genre_id,
            "champion_score": known(genre.champion),
            "challenger_score": known(genre.challenger),
            "difference": known(genre.difference),
            "p_value": known(genre.p_value),
            "p_value_holm": known(genre.p_value_holm),
            "n_songs": genre.n_songs,
            "n_groups": genre.n_groups,
        }
        for genre in (duel.genres if duel else ())
    ]
    store.upsert(PROMOTION_GENRES, genres, update=True)
    provenance = {"decided_at": datetime.now(UTC), "git_commit": git_commit(), "run_id": store.run_id}
    store.upsert(PROMOTIONS, [key | row | provenance])
    aliases.write_file(config, alias, row["model_id"])
    line = f"{alias}: {row['action']}, {row['model_id']}. {row['reason']}"
    return Counts(read=1, written=1, notes=(line, *notes))


def _figures(prefix: str, duel: Duel) -> dict[str, object]:
    return {
        f"{prefix}champion_score": known(duel.champion),
        f"{prefix}challenger_score": known(duel.challenger),
        f"{prefix}difference": known(duel.difference),
        f"{prefix}low": known(duel.low),
        f"{prefix}n_songs": duel.n_songs,
        f"{prefix}n_groups": duel.n_groups,
    }


def _untested(duel: Duel, champion: Row) -> int:
    tested = {genre.genre_id for genre in duel.genres if not math.isnan(genre.p_value)}
    return len(set(champion["classes"]) - tested)


def _decided_before(store: Reader, split: str) -> int:
    rows = store.read(PROMOTIONS).where((F.col("split") == split) & F.col("action").isin("promoted", "kept"))
    return rows.count()


def _lines(contest: Contest) -> list[str]:
    known_songs = contest.known
    lines = [
        f"on genres and groups that the champion was trained on: {known_songs.champion:.3f} → "
        f"{known_songs.challenger:.3f} ({known_songs.n_songs} songs in {known_songs.n_groups} groups)"
    ]
    falls = sorted(contest.everything.genres, key=lambda genre: (genre.difference, genre.genre_id))
    return lines + [
        f"{g.genre_id}: {g.champion:.3f} → {g.challenger:.3f} ({g.n_songs} songs in {g.n_groups} groups)"
        for g in falls[:3]
        if g.difference < 0
    ]


def _name(row: Row) -> str:
    return f"{row['engine']} {row['estimator']} on {row['feature_set']} ({row['model_id'][:8]})"


def known(value: float) -> float | None:
    """Value for a table column; None (NULL) for NaN."""
    return None if math.isnan(value) else value
