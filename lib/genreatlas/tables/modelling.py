"""Tables of splits, experiments, models and their judgement."""

from genreatlas.tables.schema import Column, Table

SPLITS = Table(
    name="splits",
    comment="Which part of the data a song belongs to. Append-only: the row with the highest version counts.",
    written_by=("assign_splits",),
    key=("split", "song_id", "split_version"),
    cluster_by=("split", "song_id"),
    family="modelling",
    history=True,
    columns=(
        Column("split", "string", "Name of the split ([splits] name)."),
        Column("song_id", "string", "Song."),
        Column("split_version", "int", "Grows by one with every run that adds rows."),
        Column("group_id", "string", "Songs of one group (artist, copies of a recording) never part.", nullable=False),
        Column("grouped_by", "string", "artist, album, recording or song: what made the group.", nullable=False),
        Column("part", "string", "train, promotion, test or excluded.", nullable=False),
        Column("fold", "int", "Fold inside the training part, from 0; NULL elsewhere."),
        Column("reason", "string", "Why a song is excluded, or declared_leak where it was let through; else NULL."),
        Column("assigned_at", "timestamp", "When the row was written.", volatile=True),
    ),
)

_CANDIDATE = (
    Column("candidate", "string", "Candidate's name: engine, estimator, feature set, parameters.", nullable=False),
    Column("engine", "string", "spark, sklearn or baseline.", nullable=False),
    Column("estimator", "string", "Estimator, such as linear_svc.", nullable=False),
    Column("feature_set", "string", "Feature set that it reads; joined ones as groove+summary9.", nullable=False),
    Column("params", "string", "Its parameters, as JSON with sorted keys.", nullable=False),
)

_DATASET = (
    Column("dataset_id", "string", "Hash of training matrix, labels, folds and their order.", nullable=False),
    Column("set_version", "string", "Version of the feature set; of joined ones in the order of the names, as 1+2."),
    Column("preprocessing_id", "string", "How the clips were cut and normalised; for each of joined sets, with +."),
    Column("split", "string", "Split whose folds were used.", nullable=False),
    Column("split_version", "int", "Version of that split.", nullable=False),
    Column("level", "string", "genre or parent.", nullable=False),
    Column("labels", "string", "drop, rarest or multi: what a song with several genres means.", nullable=False),
    Column("seed", "bigint", "Seed of every random choice.", nullable=False),
)

_PROVENANCE = (
    Column("input_versions", "map<string,bigint>", "Delta version of every table that was read.", volatile=True),
    Column("git_commit", "string", "Commit of the code, with + where the tree had changes.", volatile=True),
    Column("run_id", "string", "Run that wrote the row.", volatile=True),
)

_DEFINITION = (
    Column("metric_version", "int", "Version of the metric's definition; NULL in rows of releases before there were."),
    Column("n_absent", "int", "Genres of the model without a judged song: means over genres leave them out."),
)

FOLD_SCORES = Table(
    name="fold_scores",
    comment="Score of one candidate on one fold: what `experiments` summarises, and what a rerun skips.",
    written_by=("train_models",),
    key=("experiment_id", "fold"),
    family="modelling",
    columns=(
        Column("experiment_id", "string", "Hash of candidate, data set and metric."),
        Column("fold", "int", "Fold held out."),
        Column("metric", "string", "Metric of the score.", nullable=False),
        Column("score", "double", "Score on the held-out fold; NULL where it failed."),
        Column("train_score", "double", "Score on the rows that it was trained on."),
        Column("reason", "string", "Why there is no score; else NULL."),
        Column("detail", "string", "The error in words; else NULL."),
        Column("seconds", "double", "Time of fit and predictions.", unit="s", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
        *_DEFINITION,
    ),
)

EXPERIMENTS = Table(
    name="experiments",
    comment="One row per candidate and data set: its scores over the folds, or why it has none.",
    written_by=("train_models",),
    key=("experiment_id",),
    family="modelling",
    columns=(
        Column("experiment_id", "string", "Hash of candidate, data set and metric."),
        *_CANDIDATE,
        *_DATASET,
        Column("metric", "string", "Metric that selects.", nullable=False),
        Column("status", "string", "done, cut (by successive halving), skipped or failed.", nullable=False),
        Column("reason", "string", "Why it was cut or skipped, or failed; else NULL."),
        Column("detail", "string", "The same in words; else NULL."),
        Column("n_folds", "int", "Folds with a score; of one that was cut, fold_scores has them.", nullable=False),
        Column("score_min", "double", "Lowest score over the folds."),
        Column("score_mean", "double", "Mean score over the folds."),
        Column("score_max", "double", "Highest score over the folds."),
        Column("score_std", "double", "Standard deviation over the folds (n - 1)."),
        Column("train_score_mean", "double", "Mean score on the training rows."),
        Column("gap", "double", "Train score minus fold score: how much it overfits."),
        Column("n_classes", "int", "Classes.", nullable=False),
        Column("n_songs", "int", "Songs of the training part.", nullable=False),
        Column("n_rows", "bigint", "Rows of the training matrix: songs, clips or frames.", nullable=False),
        Column("seconds", "double", "Time over all folds.", unit="s", volatile=True),
        *_PROVENANCE,
        _DEFINITION[0],
        Column("n_absent", "int", "Genres without a song in a fold, the most over the folds; scores leave them out."),
    ),
)

MODELS = Table(
    name="models",
    comment="The best candidate per engine and feature set, fitted again on the whole training part.",
    written_by=("train_models",),
    key=("model_id",),
    family="modelling",
    columns=(
        Column("model_id", "string", "Hash of the experiment; also the folder's name below [models] path."),
        Column("experiment_id", "string", "The experiment that it won.", nullable=False),
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
        Column("matrix_sha256", "string", "SHA-256 over the training matrix, which rebuild_training_set gives again."),
        Column("left_out", "array<string>", "Columns that were left out as they give the genre away, each with why."),
    ),
)

PREDICTIONS = Table(
    name="predictions",
    comment="What a model says of a song: one row per song and model.",
    written_by=("evaluate_models",),
    key=("model_id", "song_id"),
    cluster_by=("model_id",),
    family="modelling",
    columns=(
        Column("model_id", "string", "Model."),
        Column("song_id", "string", "Song."),
        Column("group_id", "string", "The song's group in the split.", nullable=False),
        Column("part", "string", "Part of the split.", nullable=False),
        Column("genres", "array<string>", "True genre ids; several only where labels = multi.", nullable=False),
        Column("predicted", "string", "Genre with the highest mean score.", nullable=False),
        Column("predicted_by_vote", "string", "Genre with most frames or clips; ties go to the mean score."),
        Column("confidence", "double", "Score of the predicted genre.", nullable=False),
        Column(
            "scores",
            "map<string,double>",
            "Score of every genre, averaged over the song's rows; of more than 100 genres, of the 100 highest and of "
            "the true one where a song has one.",
            nullable=False,
        ),
        Column("score_kind", "string", "probability or margin.", nullable=False),
        Column("n_rows", "int", "Clips or frames that the scores average.", nullable=False),
        Column("n_rows_correct", "int", "Of these, how many were right on their own; NULL where labels = multi."),
        Column("votes", "map<string,int>", "Rows that chose each genre; others are left out; NULL for one row."),
        Column("set_size", "int", "Genres of the song's prediction set; NULL for models without sets."),
        Column("in_set", "boolean", "Whether the set holds the true genre; NULL for models without sets."),
        Column("higher", "int", "Genres with a higher score than the true one; NULL where scores has every genre."),
        Column("equal", "int", "Genres with the true one's score, itself included; NULL where scores has every genre."),
        Column(
            "family_scores",
            "map<string,double>",
            "Sums of probabilities over the genres below each topmost genre; of more than 100, of the 100 highest and "
            "the true one. NULL where no genre has another above it.",
        ),
    ),
)

METRICS = Table(
    name="metrics",
    comment="Every figure of the report: one row per model, part, unit, metric and genre.",
    written_by=("evaluate_models",),
    key=("model_id", "part", "unit", "metric", "genre_id", "other"),
    cluster_by=("model_id",),
    family="modelling",
    columns=(
        Column("model_id", "string", "Model."),
        Column("part", "string", "Part of the split that was judged."),
        Column("unit", "string", "song, song_vote or row (frame or clip)."),
        Column("metric", "string", "Such as accuracy, macro_f1, precision, confusion, p_value."),
        Column("genre_id", "string", "Genre for per-genre figures; * for all."),
        Column("other", "string", "Predicted genre of a confusion, feature of an importance, other model; else *."),
        Column("value", "double", "The figure; NULL where it is undefined."),
        Column("low", "double", "Lower end of the 95 % interval; NULL where it would claim more than is known."),
        Column("high", "double", "Upper end."),
        Column("n_songs", "bigint", "Songs (or rows) behind the figure."),
        Column("n_groups", "bigint", "Groups behind it; with few ([evaluate]) there is no interval."),
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
    comment="Whether a model's confidence is true: by confidence, and by genre; with the coverage of prediction sets.",
    written_by=("evaluate_models",),
    key=("model_id", "part", "genre_id", "bin"),
    cluster_by=("model_id",),
    family="modelling",
    columns=(
        Column("model_id", "string", "Model; those without probabilities have no rows."),
        Column("part", "string", "Part of the split that was judged."),
        Column("genre_id", "string", "Genre; * for all."),
        Column(
            "bin", "int", "0: all songs; from 1: bins of equally many songs, by rising confidence (all genres only)."
        ),
        Column("n_predicted", "bigint", "Songs that were called the genre; in a bin, its songs.", nullable=False),
        Column("confidence", "double", "Their mean confidence; NULL without songs."),
        Column("accuracy", "double", "Share of them that was right; NULL without songs."),
        Column("calibration_error", "double", "Mean distance of the two over 15 bins of equally many songs."),
        Column("perfect_error", "double", "What the error would be if every confidence were true: chance alone."),
        Column("n_songs", "bigint", "Songs whose true genre it is; in a bin, its songs.", nullable=False),
        Column("n_groups", "bigint", "Their groups.", nullable=False),
        Column("coverage", "double", "Share of these whose prediction set holds it; NULL for models without sets."),
        Column("stated_coverage", "double", "What the model's sets state; NULL for models without."),
        Column("set_size", "double", "Mean number of genres in their sets."),
    ),
)

TRAINING_GENRES = Table(
    name="training_genres",
    comment="How many songs of each genre a data set kept, and at which rule the others went.",
    written_by=("train_models",),
    key=("dataset_id", "genre_id"),
    family="modelling",
    columns=(
        Column("dataset_id", "string", "Data set, as in `models`."),
        Column("genre_id", "string", "Genre at the level of the data set."),
        Column("genre", "string", "Its name.", nullable=False),
        Column("songs", "bigint", "Songs of the split with the genre.", nullable=False),
        Column("no_features", "bigint", "Gone: without features of the set.", nullable=False),
        Column("filtered", "bigint", "Gone: by [train] where.", nullable=False),
        Column("duplicates", "bigint", "Gone: another copy of the recording counts.", nullable=False),
        Column("several", "bigint", "Gone: has several of the chosen genres.", nullable=False),
        Column("surplus", "bigint", "Gone: by [train] max_songs or balance.", nullable=False),
        Column("kept", "bigint", "Left.", nullable=False),
        Column("why", "string", "Why the genre is no class; empty where it is one."),
    ),
)

MODELLING_TABLES = (SPLITS, FOLD_SCORES, EXPERIMENTS, MODELS, TRAINING_GENRES, PREDICTIONS, METRICS, RELIABILITY)
