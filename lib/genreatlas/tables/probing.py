"""Tables of experiments on confounds: their results, and features of clips that were changed for them."""

from genreatlas.tables.schema import Column, Table

PROBES = Table(
    name="probes",
    comment="Experiments on confounds as they stand now: what tells genres apart without being music. One row for each "
    "experiment, feature set, metric and genre; genre_id * is all of them.",
    written_by=("probe",),
    key=("split", "kind", "name", "feature_set", "metric", "genre_id"),
    family="modelling",
    columns=(
        Column("split", "string", "Split whose folds were used."),
        Column("kind", "string", "music (the set itself), alone (a confound), artist, change, apart or transfer."),
        Column("name", "string", "The confound, change, list of genres or collections; itself, or artist."),
        Column("feature_set", "string", "Feature set that was probed."),
        Column("metric", "string", "accuracy, macro_f1 or recall, of songs of held-out folds."),
        Column("genre_id", "string", "Genre of a recall; * for all."),
        Column("genre", "string", "Its name; NULL for all."),
        Column("probe_id", "string", "Hash of experiment, songs, features, model and seed.", nullable=False),
        Column("model", "string", "What was fitted.", nullable=False),
        Column("value", "double", "The figure; NULL where the experiment was left out."),
        Column("low", "double", "Lower end of its 95 % interval over artists; NULL with too few."),
        Column("high", "double", "Upper end."),
        Column("interval_method", "string", "As in `metrics`; NULL without an interval."),
        Column("baseline", "double", "The figure that it is compared with, on the same songs."),
        Column("baseline_name", "string", "What that is."),
        Column("difference", "double", "value less baseline."),
        Column("difference_low", "double", "Lower end of its 95 % interval over artists; NULL with too few."),
        Column("difference_high", "double", "Upper end."),
        Column("difference_method", "string", "bootstrap over groups, or effective songs; NULL without an interval."),
        Column("n_songs", "bigint", "Songs that the figure rests on.", nullable=False),
        Column("n_artists", "bigint", "Their groups in the split; see grouping.", nullable=False),
        Column("n_genres", "bigint", "Genres (or artists) to choose from.", nullable=False),
        Column("verdict", "string", "What it comes to, in a word or two.", nullable=False),
        Column("sentence", "string", "The same in a sentence.", nullable=False),
        Column("set_version", "string", "Version of the feature set."),
        Column("preprocessing_id", "string", "How its clips were cut and normalised."),
        Column("split_version", "int", "Version of the split.", nullable=False),
        Column("grouping", "string", "What the split is safe against, as in `models`.", nullable=False),
        Column("seed", "bigint", "Seed of sample and fit.", nullable=False),
        Column("inputs_id", "string", "Hash of configuration and table versions; equal: nothing to do.", volatile=True),
        Column("made_at", "timestamp", "When the row was written.", volatile=True),
        Column("git_commit", "string", "Commit of the code, with + where the tree had changes.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)

CHANGED_FEATURES = Table(
    name="changed_features",
    comment="Features of clips that were changed before extraction, for experiments on confounds: one row for each "
    "clip, change and feature set. The columns from values on are filled as the layout of the set asks.",
    written_by=("probe",),
    key=("clip_id", "change", "change_version", "feature_set", "set_version", "preprocessing_id"),
    cluster_by=("change", "feature_set"),
    family="modelling",
    columns=(
        Column("clip_id", "string", "Clip."),
        Column("change", "string", "What was done, as in [probe] changes."),
        Column("change_version", "string", "Version of what is done."),
        Column("feature_set", "string", "Feature set; * for a clip that could not be used."),
        Column("set_version", "string", "Its version; of such a clip, the release that tried."),
        Column("preprocessing_id", "string", "How clips are cut and normalised, as in the set's own table."),
        Column("song_id", "string", "Song of the clip.", nullable=False),
        Column("values", "array<double>", "Values of a summary in the order of its features."),
        Column("frames", "array<float>", "Values of frames, frame-major, or of a vector."),
        Column("n_frames", "int", "Frames."),
        Column("width", "int", "Values in a frame."),
        Column("hop_s", "double", "Distance of frames.", unit="s"),
        Column("reason", "string", "Why there are no features; else NULL."),
        Column("detail", "string", "The same in words; else NULL."),
    ),
)

PROBING_TABLES = (PROBES, CHANGED_FEATURES)
