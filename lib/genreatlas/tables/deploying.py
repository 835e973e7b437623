"""Tables of models in use: decisions on the champion, scored clips and files, and drift of new songs."""

from genreatlas.tables.schema import Column, Table


def _figures(prefix: str, of: str) -> tuple[Column, ...]:
    return (
        Column(f"{prefix}champion_score", "double", f"The champion's score {of}; NULL without a champion."),
        Column(f"{prefix}challenger_score", "double", f"The challenger's score {of}."),
        Column(f"{prefix}difference", "double", f"Challenger minus champion {of}."),
        Column(f"{prefix}low", "double", "Lower end of the difference (one-sided bootstrap); NULL: too few groups."),
        Column(f"{prefix}n_songs", "bigint", f"Number of songs predicted by both models {of}."),
        Column(f"{prefix}n_groups", "bigint", "Number of groups of these songs."),
    )


PROMOTIONS = Table(
    name="promotions",
    comment="Every decision on an alias. The model in use is the model_id with the highest sequence of the alias.",
    written_by=("promote_model", "rollback"),
    key=("alias", "sequence"),
    family="modelling",
    columns=(
        Column("alias", "string", "Name under which a model is used, such as champion."),
        Column("sequence", "int", "Number of the decision on the alias, from 1."),
        Column("action", "string", "first, promoted, kept, or rolled_back.", nullable=False),
        Column("model_id", "string", "Model of the alias after the decision.", nullable=False),
        Column("champion_id", "string", "Model of the alias before the decision; NULL for the first."),
        Column("challenger_id", "string", "Model that was compared with the champion; NULL for a rollback."),
        Column("reason", "string", "The decision in words.", nullable=False),
        Column("evidence_id", "string", "Hash of both models, the songs compared, and the rules; decided only once."),
        Column("split", "string", "Split whose promotion part was used."),
        Column("split_version", "int", "Version of that split."),
        Column("metric", "string", "Metric of the scores."),
        *_figures("", "on all songs of the promotion part"),
        *_figures("known_", "on genres and groups that the champion was trained on"),
        Column("min_gain", "double", "Required gain."),
        Column("max_genre_fall", "double", "Largest allowed loss of a genre."),
        Column("confidence", "double", "Required confidence."),
        Column("genres_fallen", "array<string>", "Genres with a larger loss than allowed."),
        Column("n_genres_untested", "int", "Number of the champion's genres with too few groups for a test."),
        Column("n_decided_before", "int", "Number of earlier decisions on the promotion part of this split."),
        Column("decided_at", "timestamp", "When the decision was made.", volatile=True),
        Column("git_commit", "string", "Commit of the code.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
        Column("metric_version", "int", "Version of the metric's definition; NULL before there were versions."),
        Column("n_absent", "int", "Number of genres of either model without a song in the promotion part."),
    ),
)

PROMOTION_GENRES = Table(
    name="promotion_genres",
    comment="Scores per genre behind a decision: F1 (several labels: average precision) of both models.",
    written_by=("promote_model",),
    key=("alias", "sequence", "genre_id"),
    family="modelling",
    columns=(
        Column("alias", "string", "Alias, as in `promotions`."),
        Column("sequence", "int", "Decision, as in `promotions`."),
        Column("genre_id", "string", "Genre."),
        Column("champion_score", "double", "The champion's score; NULL where undefined."),
        Column("challenger_score", "double", "The challenger's score; NULL where undefined."),
        Column("difference", "double", "Challenger minus champion."),
        Column("p_value", "double", "p value of a loss larger than allowed; NULL where it was not tested."),
        Column("p_value_holm", "double", "p_value with Holm's correction for the number of genres."),
        Column("n_songs", "bigint", "Number of songs of the genre.", nullable=False),
        Column("n_groups", "bigint", "Number of groups with a song of the genre.", nullable=False),
    ),
)

_SCORED = (
    Column("model_id", "string", "Model that scored."),
    Column("item_id", "string", "clip:<clip_id> for a clip of the store; a file's URI for a file."),
)

SCORES = Table(
    name="scores",
    comment="Predictions of the model in use for clips and files: one row each; for files, the mean over windows.",
    written_by=("score",),
    key=("model_id", "item_id"),
    cluster_by=("model_id",),
    family="modelling",
    columns=(
        *_SCORED,
        Column("song_id", "string", "Song of the clip; NULL for files that are not in the store."),
        Column("path", "string", "Path of the file for display."),
        Column("predicted", "string", "Genre with the highest score.", nullable=False),
        Column("confidence", "double", "Score of the predicted genre.", nullable=False),
        Column(
            "scores",
            "map<string,double>",
            "Score of every genre, averaged over rows and windows; for clips at most the 100 highest.",
            nullable=False,
        ),
        Column("score_kind", "string", "probability or margin.", nullable=False),
        Column("n_windows", "int", "Number of windows averaged; 1 for a clip.", nullable=False),
        Column(
            "n_failed_windows", "int", "Number of windows that could not be used, such as silent ones.", nullable=False
        ),
        Column("duration_s", "double", "Duration of the file.", unit="s"),
        Column("bytes", "bigint", "Size of the file.", unit="byte"),
        Column("modified_ns", "bigint", "Modification time of the file.", unit="ns", volatile=True),
        Column("scored_at", "timestamp", "When the clip or file was scored.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
        Column("genre_set", "array<string>", "Prediction set, most probable genre first; NULL: no answer."),
        Column("set_size", "int", "Size of the prediction set; NULL for models without prediction sets."),
        Column("set_coverage", "double", "Nominal coverage: share of songs whose set contains their genre."),
        Column("abstains", "boolean", "Whether the model abstains: the prediction set is empty or too large."),
    ),
)

SCORE_WINDOWS = Table(
    name="score_windows",
    comment="Predictions along a scored file: one row per window.",
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
        Column("confidence", "double", "Score of the predicted genre."),
        Column("scores", "map<string,double>", "Score of every genre."),
        Column("reason", "string", "Reason code if the window could not be used, such as silent; else NULL."),
    ),
)

DRIFT = Table(
    name="drift",
    comment="Drift of new songs from a model's training data, by feature and by genre.",
    written_by=("measure_drift",),
    key=("model_id", "population", "subject", "name"),
    cluster_by=("model_id",),
    family="modelling",
    columns=(
        Column("model_id", "string", "Model whose training data are the reference."),
        Column("population", "string", "new_songs (genres are labels), or scored (genres are predictions)."),
        Column("subject", "string", "feature, or genre."),
        Column("name", "string", "Feature or genre; * for all genres together."),
        Column("psi", "double", "Population stability index: from 0.1 a shift, from 0.25 a large shift."),
        Column("ks", "double", "Kolmogorov-Smirnov distance of the two distributions; NULL for genres.", unit="0..1"),
        Column(
            "share_trained", "double", "Genre: share of training songs. Feature: share of missing values in training."
        ),
        Column("share_new", "double", "Genre: share of new songs. Feature: share of missing values in new rows."),
        Column("mean_trained", "double", "Mean of the feature in training; NULL for genres."),
        Column("mean_new", "double", "Mean of the feature in new rows; NULL for genres."),
        Column("n_trained", "bigint", "Number of rows (for genres: songs) of the training part.", nullable=False),
        Column("n_new", "bigint", "Number of new rows (for genres: songs).", nullable=False),
        Column("measured_at", "timestamp", "When drift was measured.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)

DEPLOYING_TABLES = (PROMOTIONS, PROMOTION_GENRES, SCORES, SCORE_WINDOWS, DRIFT)
