"""Tables of the work itself: what ran, and what had to be left out."""

from genreatlas.tables.schema import Column, Table

QUARANTINE = Table(
    name="quarantine",
    comment="What could not be used, and why. Nothing here was lost in silence.",
    written_by=(
        "scrape_genres",
        "import_folder",
        "import_features",
        "import_analyses",
        "collect_songs",
        "fetch_previews",
        "extract_features",
        "evaluate_models",
        "score",
    ),
    key=("stage", "key", "version"),
    cluster_by=("stage", "key"),
    family="operations",
    columns=(
        Column("stage", "string", "Step that put the row here."),
        Column("key", "string", "URI, clip id, or file and line of a manifest row."),
        Column("version", "string", "State of the input or version of the features; a new one is tried again."),
        Column("reason", "string", "Reason code, from the closed set in errors.py.", nullable=False),
        Column("detail", "string", "The same in words: what, where, what to do."),
        Column("path", "string", "Path for people to read."),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
        Column("at", "timestamp", "When.", volatile=True),
        Column(
            "attempts",
            "int",
            "Runs that failed here for an unknown reason, which later runs try again, up to three; else NULL.",
        ),
    ),
)

RUNS = Table(
    name="runs",
    comment="One row per step that ran.",
    written_by=("every step",),
    key=("run_id",),
    cluster_by=("run_id",),
    family="operations",
    columns=(
        Column("run_id", "string", "Run."),
        Column("step", "string", "Step.", nullable=False),
        Column("status", "string", "done, failed or stopped.", nullable=False),
        Column("started_at", "timestamp", "Start.", volatile=True),
        Column("ended_at", "timestamp", "End.", volatile=True),
        Column("n_read", "bigint", "Things to do that the step found."),
        Column("n_written", "bigint", "Done."),
        Column("n_failed", "bigint", "Left out with a reason."),
        Column("n_skipped", "bigint", "Not attempted, with a reason."),
        Column("error", "string", "What ended it; else NULL."),
        Column("versions", "map<string,string>", "Versions of Python and packages.", volatile=True),
        Column("config", "string", "Configuration as JSON, secrets left out.", volatile=True),
        Column("git_commit", "string", "Commit of the code.", volatile=True),
    ),
)

FETCH_ATTEMPTS = Table(
    name="fetch_attempts",
    comment="One row per try to fetch something from the outside world, good or bad.",
    written_by=("every step",),
    key=("task", "key", "provider", "attempt"),
    cluster_by=("task", "key"),
    family="operations",
    columns=(
        Column("task", "string", "What was fetched for: the name of a step, or a part of one."),
        Column("key", "string", "What was asked for, such as a song id; * where the provider as a whole was paused."),
        Column("provider", "string", "Who was asked."),
        Column("attempt", "int", "Number of the try with this provider, from 1; 0 where the key is *."),
        Column(
            "status",
            "string",
            "ok; retry: comes back when it is due; final: not asked again for this key; paused: the provider is to "
            "be left alone.",
            nullable=False,
        ),
        Column("http_status", "int", "Status of the last response; NULL without one."),
        Column("reason", "string", "Reason code, from the closed set in errors.py; NULL where it went well."),
        Column("detail", "string", "The same in words, without queries of addresses."),
        Column("at", "timestamp", "When.", volatile=True),
        Column("next_retry_at", "timestamp", "Not before this time.", volatile=True),
        Column("run_id", "string", "Run that tried.", volatile=True),
        Column(
            "decoder_release", "string", "Release of what looks at audio; what an older one refused is asked again."
        ),
    ),
)

OPERATIONS_TABLES = (QUARANTINE, RUNS, FETCH_ATTEMPTS)
