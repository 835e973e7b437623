"""Tables of topics: the fitted words and topics, and what each topic is."""

from genreatlas.tables.schema import Column, Table

_SET = Column("feature_set", "string", "Feature set with the shares of topics, such as topics20.")
_VERSION = Column("set_version", "string", "Its version: the number of the fit, and a hash of what was fitted.")

TOPIC_MODELS = Table(
    name="topic_models",
    comment="Words and topics as they were fitted: all that shares of topics are computed from. The present fit of a "
    "feature set has the highest sequence.",
    written_by=("fit_topics",),
    key=("feature_set", "set_version"),
    family="modelling",
    history=True,
    columns=(
        _SET,
        _VERSION,
        Column("sequence", "int", "Number of the fit, from 1.", nullable=False),
        Column("made_from", "string", "Hash of settings, source set and clips that it was fitted on.", nullable=False),
        Column("source_set", "string", "Set of frames.", nullable=False),
        Column("source_version", "string", "Its version.", nullable=False),
        Column("preprocessing_id", "string", "Its preprocessing.", nullable=False),
        Column("features", "array<string>", "Its features, in order.", nullable=False),
        Column("n_words", "int", "Words.", nullable=False),
        Column("n_topics", "int", "Topics.", nullable=False),
        Column("mean", "array<double>", "Mean of each feature over the sampled frames.", nullable=False),
        Column("factor", "array<double>", "1 / its standard deviation; 0 where it does not vary.", nullable=False),
        Column(
            "centres", "array<double>", "Centres of the words: word i holds [i * width, (i + 1) * width) of values "
            "less mean, times factor.", nullable=False,
        ),
        Column("alpha", "array<double>", "Dirichlet prior of a clip's topics.", nullable=False),
        Column(
            "topic_words", "array<double>", "Parameters of the Dirichlet distribution of words in each topic: topic i "
            "holds [i * n_words, (i + 1) * n_words).", nullable=False,
        ),
        Column("settings", "string", "[topics] as JSON with sorted keys.", nullable=False),
        Column("split", "string", "Split whose training part it was fitted on.", nullable=False),
        Column("split_version", "int", "Version of the split.", nullable=False),
        Column("songs", "array<string>", "Songs that it was fitted on, sorted.", nullable=False),
        Column("n_clips", "bigint", "Clips of them.", nullable=False),
        Column("n_frames", "bigint", "Frames that words were fitted on.", nullable=False),
        Column("input_versions", "map<string,bigint>", "Delta version of every table that was read.", volatile=True),
        Column("made_at", "timestamp", "When it was fitted.", volatile=True),
        Column("git_commit", "string", "Commit of the code, with + where the tree had changes.", volatile=True),
        Column("run_id", "string", "Run that fitted it.", volatile=True),
    ),
)  # fmt: skip

TOPICS = Table(
    name="topics",
    comment="What each topic is, by the songs of the training part: words, genres and songs with the largest shares.",
    written_by=("fit_topics",),
    key=("feature_set", "set_version", "topic"),
    family="modelling",
    columns=(
        _SET,
        _VERSION,
        Column("topic", "int", "Number of the topic, from 1; topic_<number> is its column in the feature set."),
        Column("share", "double", "Mean share over training songs.", unit="0..1", nullable=False),
        Column("words", "array<int>", "Numbers of its most probable words, from 0, the most probable first."),
        Column("word_weights", "array<double>", "Probabilities of these words in the topic.", unit="0..1"),
        Column("genres", "array<string>", "Ids of genres in which its share is largest, the largest first."),
        Column("genre_names", "array<string>", "Their names."),
        Column("genre_shares", "array<double>", "Mean share over the training songs of each.", unit="0..1"),
        Column("genre_lifts", "array<double>", "That share divided by the mean over all training songs."),
        Column(
            "examples", "array<string>", "Training songs in which its share is largest, one of each group of the split."
        ),
        Column("example_shares", "array<double>", "Its share in each, the mean over clips.", unit="0..1"),
    ),
)

TOPIC_TABLES = (TOPIC_MODELS, TOPICS)
