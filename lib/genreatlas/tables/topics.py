"""Tables of topics: fitted words and topics, and a description of each topic."""

from genreatlas.tables.schema import Column, Table

_SET = Column("feature_set", "string", "Feature set with the shares of topics, such as topics20.")
_VERSION = Column("set_version", "string", "Version of the set: number of the fit, and a hash of its result.")

TOPIC_MODELS = Table(
    name="topic_models",
    comment="Fitted words and topics, from which shares of topics are computed. The current fit of a feature set has "
    "the highest sequence.",
    written_by=("fit_topics",),
    key=("feature_set", "set_version"),
    family="modelling",
    history=True,
    columns=(
        _SET,
        _VERSION,
        Column("sequence", "int", "Number of the fit, from 1.", nullable=False),
        Column("made_from", "string", "Hash of settings, source set and clips of the fit.", nullable=False),
        Column("source_set", "string", "Set of frames that was fitted.", nullable=False),
        Column("source_version", "string", "Version of the source set.", nullable=False),
        Column("preprocessing_id", "string", "Preprocessing of the source set.", nullable=False),
        Column("features", "array<string>", "Features of the source set, in order.", nullable=False),
        Column("n_words", "int", "Number of words.", nullable=False),
        Column("n_topics", "int", "Number of topics.", nullable=False),
        Column("mean", "array<double>", "Mean of each feature over the sampled frames.", nullable=False),
        Column("factor", "array<double>", "1 / standard deviation of each feature; 0: constant.", nullable=False),
        Column(
            "centres", "array<double>", "Centres of the words: word i is [i * width, (i + 1) * width), in units of "
            "(value - mean) * factor.", nullable=False,
        ),
        Column("alpha", "array<double>", "Dirichlet prior of a clip's topics.", nullable=False),
        Column(
            "topic_words", "array<double>", "Parameters of the Dirichlet distribution of words in each topic: topic i "
            "is [i * n_words, (i + 1) * n_words).", nullable=False,
        ),
        Column("settings", "string", "[topics] as JSON with sorted keys.", nullable=False),
        Column("split", "string", "Split whose training part was used.", nullable=False),
        Column("split_version", "int", "Version of the split.", nullable=False),
        Column("songs", "array<string>", "Songs of the fit, sorted.", nullable=False),
        Column("n_clips", "bigint", "Number of clips of these songs.", nullable=False),
        Column("n_frames", "bigint", "Number of frames that words were fitted on.", nullable=False),
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
        Column("words", "array<int>", "Numbers (from 0) of its most probable words, in descending order."),
        Column("word_weights", "array<double>", "Probabilities of these words in the topic.", unit="0..1"),
        Column("genres", "array<string>", "Ids of genres with the largest mean share, in descending order."),
        Column("genre_names", "array<string>", "Names of these genres."),
        Column("genre_shares", "array<double>", "Mean share over the training songs of each genre.", unit="0..1"),
        Column("genre_lifts", "array<double>", "genre_shares divided by the mean over all training songs."),
        Column("examples", "array<string>", "Training songs with the largest share, one per group of the split."),
        Column("example_shares", "array<double>", "Share in each example, the mean over its clips.", unit="0..1"),
    ),
)

TOPIC_TABLES = (TOPIC_MODELS, TOPICS)
