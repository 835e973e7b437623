"""Tables of models in use: who became champion and why, what was scored, and how far new music has drifted."""

from genreatlas.tables.schema import Column, Table


def _figures(prefix: str, of: str) -> tuple[Column, ...]:
    return (
        Column(f"{prefix}champion_score", "double", f"The champion's score {of}; NULL without a champion."),
        Column(f"{prefix}challenger_score", "double", f"The challenger's score {of}."),
        Column(f"{prefix}difference", "double", f"Challenger minus champion {of}."),
        Column(f"{prefix}low", "double", "Lower end of its one-sided bootstrap interval; NULL with too few groups."),
        Column(f"{prefix}n_songs", "bigint", f"Songs that both judged {of}."),
        Column(f"{prefix}n_groups", "bigint", "Groups of these songs."),
    )


PROMOTIONS = Table(
    name="promotions",
    comment="Every decision on an alias. The model_id of its highest sequence is the model in use.",
    written_by=("promote_model", "rollback"),
    key=("alias", "sequence"),
    family="modelling",
    columns=(
        Column("alias", "string", "Name under which a model is used, such as champion."),
        Column("sequence", "int", "Grows by one with every decision on the alias."),
        Column("action", "string", "first, promoted, kept, or rolled_back.", nullable=False),
        Column("model_id", "string", "Model that bears the alias from now on.", nullable=False),
        Column("champion_id", "string", "Model that bore it before; NULL at first."),
        Column("challenger_id", "string", "Model that was tried; NULL for a rollback."),
        Column("reason", "string", "The decision in words.", nullable=False),
        Column("evidence_id", "string", "Hash of both models, the songs judged, and the rules: one is decided once."),
        Column("split", "string", "Split whose promotion part decided."),
        Column("split_version", "int", "Version of that split."),
        Column("metric", "string", "Metric of the scores."),
        *_figures("", "on all songs of the promotion part"),
        *_figures("known_", "on genres and groups that the champion knew"),
        Column("min_gain", "double", "Gain that was asked for."),
        Column("max_genre_fall", "double", "Fall that was allowed to a genre."),
        Column("confidence", "double", "Confidence that was asked for."),
        Column("genres_fallen", "array<string>", "Genres that fell by more than was allowed."),
        Column("n_genres_untested", "int", "Genres of the champion with too few groups to say."),
        Column("n_decided_before", "int", "How often the promotion part of this split had decided before."),
        Column("decided_at", "timestamp", "When.", volatile=True),
        Column("git_commit", "string", "Commit of the code.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
        Column("metric_version", "int", "Version of the metric's definition; NULL before there were versions."),
        Column("n_absent", "int", "Genres of either model without a song of the promotion part."),
    ),
)

PROMOTION_GENRES = Table(
    name="promotion_genres",
    comment="The genres behind a decision: F1 (several labels: average precision) of both models.",
    written_by=("promote_model",),
    key=("alias", "sequence", "genre_id"),
    family="modelling",
    columns=(
        Column("alias", "string", "Alias, as in `promotions`."),
        Column("sequence", "int", "Decision, as in `promotions`."),
        Column("genre_id", "string", "Genre."),
        Column("champion_score", "double", "The champion's figure; NULL where undefined."),
        Column("challenger_score", "double", "The challenger's."),
        Column("difference", "double", "Challenger minus champion."),
        Column("p_value", "double", "Of a fall beyond the allowed one; NULL where it was not tested."),
        Column("p_value_holm", "double", "The same, corrected for the number of genres."),
        Column("n_songs", "bigint", "Songs of the genre.", nullable=False),
        Column("n_groups", "bigint", "Groups with such a song.", nullable=False),
    ),
)

_SCORED = (
    Column("model_id", "string", "Model that scored."),
    Column("item_id", "string", "clip:<clip_id> for a clip of the store; a file's URI for a file."),
)

SCORES = Table(
    name="scores",
    comment="What the model in use says of clips and files: one row each, the mean over a file's windows.",
    written_by=("score",),
    key=("model_id", "item_id"),
    cluster_by=("model_id",),
    family="modelling",
    columns=(
        *_SCORED,
        Column("song_id", "string", "Song of the clip; NULL for files that are not in the store."),
        Column("path", "string", "Path of the file for people to read."),
        Column("predicted", "string", "Genre with the highest score.", nullable=False),
        Column("confidence", "double", "Its score.", nullable=False),
        Column(
            "scores",
            "map<string,double>",
            "Score of every genre, averaged over rows and windows; of a clip the 100 highest where there are more.",
            nullable=False,
        ),
        Column("score_kind", "string", "probability or margin.", nullable=False),
        Column("n_windows", "int", "Windows behind the mean; 1 for a clip.", nullable=False),
        Column("n_failed_windows", "int", "Windows that could not be used, such as silence.", nullable=False),
        Column("duration_s", "double", "Duration of the file.", unit="s"),
        Column("bytes", "bigint", "Size of the file.", unit="byte"),
        Column("modified_ns", "bigint", "Modification time of the file.", unit="ns", volatile=True),
        Column("scored_at", "timestamp", "When.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
        Column("genre_set", "array<string>", "Genres that are not ruled out, most probable first; NULL: no answer."),
        Column("set_size", "int", "Genres that are not ruled out; NULL for models without prediction sets."),
        Column("set_coverage", "double", "Stated share of songs whose set holds their genre."),
        Column("abstains", "boolean", "Whether so many genres are left (or none) that the model does not know."),
    ),
)

SCORE_WINDOWS = Table(
    name="score_windows",
    comment="The timeline of a scored file: one row per window.",
    written_by=("score",),
    key=("model_id", "item_id", "window"),
    cluster_by=("model_id", "item_id"),
    family="modelling",
    columns=(
        *_SCORED,
        Column("window", "int", "Number of the window, from 0."),
        Column("start_s", "double", "Start of the window.", unit="s", nullable=False),
        Column("length_s", "double", "Length of the window.", unit="s", nullable=False),
        Column("predicted", "string", "Genre with the highest score; NULL where the window could not be used."),
        Column("confidence", "double", "Its score."),
        Column("scores", "map<string,double>", "Score of every genre."),
        Column("reason", "string", "Why the window could not be used, such as silent; else NULL."),
    ),
)

DRIFT = Table(
    name="drift",
    comment="How new songs differ from what a model was trained on, by feature and by genre.",
    written_by=("measure_drift",),
    key=("model_id", "population", "subject", "name"),
    cluster_by=("model_id",),
    family="modelling",
    columns=(
        Column("model_id", "string", "Model whose training part is compared with."),
        Column("population", "string", "new_songs (labels), or scored (what the model said)."),
        Column("subject", "string", "feature, or genre."),
        Column("name", "string", "Feature or genre; * for all genres together."),
        Column("psi", "double", "Population stability index; from 0.1 a shift, from 0.25 a large one."),
        Column("ks", "double", "Kolmogorov-Smirnov distance of the two distributions; NULL for genres.", unit="0..1"),
        Column("share_trained", "double", "Genre: share of training songs. Feature: share without a value."),
        Column("share_new", "double", "The same of what is new."),
        Column("mean_trained", "double", "Mean of the feature in training; NULL for genres."),
        Column("mean_new", "double", "Mean of the feature in what is new."),
        Column("n_trained", "bigint", "Rows (songs, for genres) of the training part.", nullable=False),
        Column("n_new", "bigint", "Rows or songs that are new.", nullable=False),
        Column("measured_at", "timestamp", "When.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)

DEPLOYING_TABLES = (PROMOTIONS, PROMOTION_GENRES, SCORES, SCORE_WINDOWS, DRIFT)
