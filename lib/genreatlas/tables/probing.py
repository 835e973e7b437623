"""Tables of experiments on confounds: results, and features of clips that were modified for them."""

from genreatlas.tables.schema import Column, Table

PROBES = Table(
    name="probes",
    comment="Current results of experiments on confounds: non-musical properties that separate genres. One row per "
    "experiment, feature set, metric and genre; genre_id * stands for all genres.",
    written_by=("probe",),
    key=("split", "kind", "name", "feature_set", "metric", "genre_id"),
    family="modelling",
    columns=(
        Column("split", "string", "Split whose folds were used."),
        Column("kind", "string", "music (the set itself), alone (a confound), artist, change, apart or transfer."),
        Column("name", "string", "Confound, change, genres or collections that were tested; itself; or artist."),
        Column("feature_set", "string", "Feature set that was probed."),
        Column("metric", "string", "accuracy, macro_f1 or recall, on songs of held-out folds."),
        Column("genre_id", "string", "Genre of a recall; * for all genres."),
        Column("genre", "string", "Name of the genre; NULL for all genres."),
        Column("probe_id", "string", "Hash of experiment, songs, features, model and seed.", nullable=False),
        Column("model", "string", "Model that was fitted.", nullable=False),
        Column("value", "double", "Value of the metric; NULL where the experiment was left out."),
        Column("low", "double", "Lower end of the 95 % interval over artists; NULL with too few artists."),
        Column("high", "double", "Upper end of the interval."),
        Column("interval_method", "string", "As in `metrics`; NULL without an interval."),
        Column("baseline", "double", "Value that it is compared with, on the same songs."),
        Column("baseline_name", "string", "Description of the baseline."),
        Column("difference", "double", "value minus baseline."),
        Column("difference_low", "double", "Lower end of its 95 % interval over artists; NULL with too few artists."),
        Column("difference_high", "double", "Upper end of that interval."),
        Column("difference_method", "string", "bootstrap over groups, or effective songs; NULL without an interval."),
        Column("n_songs", "bigint", "Number of songs behind the value.", nullable=False),
        Column("n_artists", "bigint", "Number of their groups in the split; see grouping.", nullable=False),
        Column("n_genres", "bigint", "Number of classes: genres, or artists.", nullable=False),
        Column("verdict", "string", "Conclusion in a word or two.", nullable=False),
        Column("sentence", "string", "Conclusion in a sentence.", nullable=False),
        Column("set_version", "string", "Version of the feature set."),
        Column("preprocessing_id", "string", "Preprocessing of its clips: cut and normalisation."),
        Column("split_version", "int", "Version of the split.", nullable=False),
        Column("grouping", "string", "What keeps parts of the split apart, as in `models`.", nullable=False),
        Column("seed", "bigint", "Seed of sample and fit.", nullable=False),
        Column("inputs_id", "string", "Hash of configuration and table versions; unchanged: no rerun.", volatile=True),
        Column("made_at", "timestamp", "When the row was written.", volatile=True),
        Column("git_commit", "string", "Commit of the code, with + where the tree had changes.", volatile=True),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
    ),
)

CHANGED_FEATURES = Table(
    name="changed_features",
    comment="Features of clips that were modified before extraction, for experiments on confounds: one row per clip, "
    "change and feature set. The layout of the set determines which columns from values on are filled.",
    written_by=("probe",),
    key=("clip_id", "change", "change_version", "feature_set", "set_version", "preprocessing_id"),
    cluster_by=("change", "feature_set"),
    family="modelling",
    columns=(
        Column("clip_id", "string", "Clip."),
        Column("change", "string", "Modification, as in [probe] changes."),
        Column("change_version", "string", "Version of the modification."),
        Column("feature_set", "string", "Feature set; * for a clip that could not be used."),
        Column("set_version", "string", "Version of the set; for a clip that could not be used, the release."),
        Column("preprocessing_id", "string", "Preprocessing of the clips, as in the set's own table."),
        Column("song_id", "string", "Song of the clip.", nullable=False),
        Column("values", "array<double>", "Values of a summary in the order of its features."),
        Column("frames", "array<float>", "Values of frames, frame-major, or of a vector."),
        Column("n_frames", "int", "Number of frames."),
        Column("width", "int", "Values per frame."),
        Column("hop_s", "double", "Time between neighbouring frames.", unit="s"),
        Column("reason", "string", "Reason code where there are no features; else NULL."),
        Column("detail", "string", "Reason in words; else NULL."),
    ),
)

PROBING_TABLES = (PROBES, CHANGED_FEATURES)
