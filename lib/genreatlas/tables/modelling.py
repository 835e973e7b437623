"""Tables of splits, experiments, models, predictions and metrics."""

from genreatlas.tables.schema import Column, Table

SPLITS = Table(
    name="splits",
    comment="Part of the split of each song. Append-only: the row with the highest version is valid.",
    written_by=("assign_splits",),
    key=("split", "song_id", "split_version"),
    cluster_by=("split", "song_id"),
    family="modelling",
    history=True,
    columns=(
        Column("split", "string", "Name of the split ([splits] name)."),
        Column("song_id", "string", "Song."),
        Column("split_version", "int", "Version of the split; increases by one with every run that adds rows."),
        Column("group_id", "string", "Group (artist, copies); its songs are in one part and fold.", nullable=False),
        Column("grouped_by", "string", "Criterion of the group: artist, album, recording or song.", nullable=False),
        Column("part", "string", "train, promotion, test or excluded.", nullable=False),
        Column("fold", "int", "Fold in the training part, from 0; NULL in other parts."),
        Column("reason", "string", "Why a song is excluded, or declared_leak if it was accepted; else NULL."),
        Column("assigned_at", "timestamp", "When the row was written.", volatile=True),
    ),
)

_CANDIDATE = (
    Column("candidate", "string", "Candidate's name: engine, estimator, feature set, parameters.", nullable=False),
    Column("engine", "string", "spark, sklearn or baseline.", nullable=False),
    Column("estimator", "string", "Estimator, such as linear_svc.", nullable=False),
    Column("feature_set", "string", "Feature set; joined sets as groove+summary9.", nullable=False),
    Column("params", "string", "Parameters as JSON with sorted keys.", nullable=False),
)

_DATASET = (
    Column("dataset_id", "string", "Hash of training matrix, labels, folds and their order.", nullable=False),
    Column("set_version", "string", "Version of the feature set; for joined sets in the order of the names, as 1+2."),
    Column("preprocessing_id", "string", "Preprocessing of the clips; for joined sets one for each, with +."),
    Column("split", "string", "Split whose folds were used.", nullable=False),
    Column("split_version", "int", "Version of that split.", nullable=False),
    Column("level", "string", "genre or parent.", nullable=False),
    Column("labels", "string", "Treatment of songs with several genres: drop, rarest or multi.", nullable=False),
    Column("seed", "bigint", "Seed of every random choice.", nullable=False),
)

_PROVENANCE = (
    Column("input_versions", "map<string,bigint>", "Delta version of every table that was read.", volatile=True),
    Column("git_commit", "string", "Commit of the code, with + where the tree had changes.", volatile=True),
    Column("run_id", "string", "Run that wrote the row.", volatile=True),
)

_DEFINITION = (
    Column("metric_version", "int", "Version of the metric's definition; NULL in rows of older releases."),
    Column(
        "n_absent", "int", "Number of the model's genres without an evaluated song; excluded from means over genres."
    ),
)

FOLD_SCORES = Table(
    name="fold_scores",
    comment="Score of one candidate on one fold. `experiments` summarises them; a rerun skips existing ones.",
    written_by=("train_models",),
    key=("experiment_id", "fold"),
    family="modelling",
    columns=(
        Column("experiment_id", "string", "Hash of candidate, data set and metric."),
        Column("fold", "int", "Held-out fold."),
        Column("metric", "string", "Metric of the score.", nullable=False),
        Column("score", "double", "Score on the held-out fold; NULL if fit or prediction failed."),
        Column("train_score", "double", "Score on the training rows."),
        Column("reason", "string", "Reason code if there is no score; else NULL."),
        Column("detail", "string", "Error message; else NULL."),
        Column("seconds", "double", "Time of fit and predictions.", unit="s", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
        *_DEFINITION,
    ),
)

EXPERIMENTS = Table(
    name="experiments",
    comment="One row per candidate and data set: scores over the folds, or the reason for missing scores.",
    written_by=("train_models",),
    key=("experiment_id",),
    family="modelling",
    columns=(
        Column("experiment_id", "string", "Hash of candidate, data set and metric."),
        *_CANDIDATE,
        *_DATASET,
        Column("metric", "string", "Metric for model selection.", nullable=False),
        Column("status", "string", "done, cut (by successive halving), skipped or failed.", nullable=False),
        Column("reason", "string", "Reason code if it was cut, skipped or failed; else NULL."),
        Column("detail", "string", "Reason in words; else NULL."),
        Column(
            "n_folds",
            "int",
            "Number of folds with a score; see fold_scores for candidates that were cut.",
            nullable=False,
        ),
        Column("score_min", "double", "Lowest score over the folds."),
        Column("score_mean", "double", "Mean score over the folds."),
        Column("score_max", "double", "Highest score over the folds."),
        Column("score_std", "double", "Standard deviation over the folds (n - 1)."),
        Column("train_score_mean", "double", "Mean score on the training rows."),
        Column("gap", "double", "Train score minus fold score: a measure of overfitting."),
        Column("n_classes", "int", "Number of classes.", nullable=False),
        Column("n_songs", "int", "Number of songs in the training part.", nullable=False),
        Column("n_rows", "bigint", "Number of rows of the training matrix: songs, clips or frames.", nullable=False),
        Column("seconds", "double", "Time over all folds.", unit="s", volatile=True),
        *_PROVENANCE,
        _DEFINITION[0],
        Column("n_absent", "int", "Largest number of genres without a song in a fold; excluded from scores."),
    ),
)

MODELS = Table(
    name="models",
    comment="Best candidate per engine and feature set, refitted on the whole training part.",
    written_by=("train_models",),
    key=("model_id",),
    family="modelling",
    columns=(
        Column("model_id", "string", "Hash of the experiment; also the name of the folder below [models] path."),
        Column("experiment_id", "string", "Experiment of the best candidate.", nullable=False),
        *_CANDIDATE,
        *_DATASET,
        Column("classes", "array<string>", "Genre ids, in the order of the scores.", nullable=False),
        Column("class_names", "array<string>", "Genre names, in the same order.", nullable=False),
        Column("features", "array<string>", "Feature columns, in the order of the matrix.", nullable=False),
        Column("score_kind", "string", "probability, or margin where calibration was impossible.", nullable=False),
        Column(
            "grouping",
            "string",
            "artist-safe, song-grouped, album-grouped, leaky, or artists-shared (how many).",
            nullable=False,
        ),
        Column("format", "string", "spark-ml, skops, arrays or json (baselines).", nullable=False),
        Column("path", "string", "Folder of the model's files.", volatile=True),
        Column("fitted_at", "timestamp", "When it was fitted.", volatile=True),
        Column("seconds", "double", "Time of the fit.", unit="s", volatile=True),
        *_PROVENANCE,
        Column("matrix_sha256", "string", "SHA-256 of the training matrix, which rebuild_training_set reproduces."),
        Column("left_out", "array<string>", "Columns excluded because they leak the genre, each with the reason."),
    ),
)

PREDICTIONS = Table(
    name="predictions",
    comment="Predictions of a model: one row per song and model.",
    written_by=("evaluate_models",),
    key=("model_id", "song_id"),
    cluster_by=("model_id",),
    family="modelling",
    columns=(
        Column("model_id", "string", "Model."),
        Column("song_id", "string", "Song."),
        Column("group_id", "string", "The song's group in the split.", nullable=False),
        Column("part", "string", "Part of the split.", nullable=False),
        Column("genres", "array<string>", "True genre ids; several only if labels = multi.", nullable=False),
        Column("predicted", "string", "Genre with the highest mean score.", nullable=False),
        Column(
            "predicted_by_vote", "string", "Genre predicted for most frames or clips; ties are broken by mean score."
        ),
        Column("confidence", "double", "Score of the predicted genre.", nullable=False),
        Column(
            "scores",
            "map<string,double>",
            "Score of every genre, averaged over the song's rows. With more than 100 genres: only the 100 highest and "
            "that of the true genre, if the song has a single one.",
            nullable=False,
        ),
        Column("score_kind", "string", "probability or margin.", nullable=False),
        Column("n_rows", "int", "Number of clips or frames averaged.", nullable=False),
        Column("n_rows_correct", "int", "Number of these rows predicted correctly; NULL if labels = multi."),
        Column("votes", "map<string,int>", "Number of rows predicted as each genre, without zeros; NULL for one row."),
        Column("set_size", "int", "Size of the prediction set; NULL for models without prediction sets."),
        Column("in_set", "boolean", "Whether the set contains the true genre; NULL for models without sets."),
        Column("higher", "int", "Number of genres scored above the true genre; NULL if scores has every genre."),
        Column("equal", "int", "Number of genres with the true genre's score, including it; NULL as in higher."),
        Column(
            "family_scores",
            "map<string,double>",
            "Probability of each top-level genre, summed over the genres below it. With more than 100: only the 100 "
            "highest and that of the true one. NULL if genres have no parents.",
        ),
    ),
)

METRICS = Table(
    name="metrics",
    comment="All metrics of the report: one row per model, part, unit, metric and genre.",
    written_by=("evaluate_models",),
    key=("model_id", "part", "unit", "metric", "genre_id", "other"),
    cluster_by=("model_id",),
    family="modelling",
    columns=(
        Column("model_id", "string", "Model."),
        Column("part", "string", "Part of the split that was evaluated."),
        Column("unit", "string", "song, song_vote or row (frame or clip)."),
        Column("metric", "string", "Name of the metric, such as accuracy, macro_f1, precision, confusion, p_value."),
        Column("genre_id", "string", "Genre of a metric per genre; * for all genres."),
        Column("other", "string", "Predicted genre of a confusion, feature of an importance, other model; else *."),
        Column("value", "double", "Value of the metric; NULL where undefined."),
        Column("low", "double", "Lower end of the 95 % interval; NULL without an interval, such as with few groups."),
        Column("high", "double", "Upper end of the interval."),
        Column("n_songs", "bigint", "Number of songs (or rows) behind the value."),
        Column("n_groups", "bigint", "Number of groups behind the value; with few ([evaluate]) there is no interval."),
        Column(
            "grouping",
            "string",
            "artist-safe, song-grouped, album-grouped, leaky, or artists-shared (how many).",
            nullable=False,
        ),
        *_DEFINITION,
        Column("interval_method", "string", "effective songs (Clopper-Pearson) or bootstrap over groups; else NULL."),
    ),
)

RELIABILITY = Table(
    name="reliability",
    comment="Calibration of a model, by confidence and by genre, with the coverage of prediction sets.",
    written_by=("evaluate_models",),
    key=("model_id", "part", "genre_id", "bin"),
    cluster_by=("model_id",),
    family="modelling",
    columns=(
        Column("model_id", "string", "Model; models without probabilities have no rows."),
        Column("part", "string", "Part of the split that was evaluated."),
        Column("genre_id", "string", "Genre; * for all genres."),
        Column("bin", "int", "0: all songs; from 1: bins of equal size by ascending confidence (only for all genres)."),
        Column("n_predicted", "bigint", "Number of songs predicted as the genre; bins: songs in it.", nullable=False),
        Column("confidence", "double", "Mean confidence of the n_predicted songs; NULL without songs."),
        Column("accuracy", "double", "Share of the n_predicted songs that is correct; NULL without songs."),
        Column("calibration_error", "double", "Expected calibration error over 15 bins of equal size."),
        Column("perfect_error", "double", "Calibration error that chance gives a perfectly calibrated model."),
        Column("n_songs", "bigint", "Number of songs whose true genre it is; bins: songs in it.", nullable=False),
        Column("n_groups", "bigint", "Number of groups of the n_songs songs.", nullable=False),
        Column("coverage", "double", "Share of the n_songs songs whose set contains their genre; NULL without sets."),
        Column("stated_coverage", "double", "Nominal coverage of the prediction sets; NULL for models without sets."),
        Column("set_size", "double", "Mean size of the prediction sets."),
    ),
)

TRAINING_GENRES = Table(
    name="training_genres",
    comment="Number of songs of each genre in a data set, and of songs excluded by each rule.",
    written_by=("train_models",),
    key=("dataset_id", "genre_id"),
    family="modelling",
    columns=(
        Column("dataset_id", "string", "Data set, as in `models`."),
        Column("genre_id", "string", "Genre at the level of the data set."),
        Column("genre", "string", "Name of the genre.", nullable=False),
        Column("songs", "bigint", "Number of songs of the split with the genre.", nullable=False),
        Column("no_features", "bigint", "Excluded: no features of the set.", nullable=False),
        Column("filtered", "bigint", "Excluded: by [train] where.", nullable=False),
        Column("duplicates", "bigint", "Excluded: another copy of the recording is used.", nullable=False),
        Column("several", "bigint", "Excluded: has several of the chosen genres.", nullable=False),
        Column("surplus", "bigint", "Excluded: by [train] max_songs or balance.", nullable=False),
        Column("kept", "bigint", "Number of songs used.", nullable=False),
        Column("why", "string", "Why the genre is not a class; empty if it is a class."),
    ),
)

MODELLING_TABLES = (SPLITS, FOLD_SCORES, EXPERIMENTS, MODELS, TRAINING_GENRES, PREDICTIONS, METRICS, RELIABILITY)
