"""Tables of operations: runs of steps, quarantined inputs and attempts to fetch."""

from genreatlas.tables.schema import Column, Table

QUARANTINE = Table(
    name="quarantine",
    comment="Inputs that could not be used, each with the reason.",
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
        Column("stage", "string", "Step that wrote the row."),
        Column("key", "string", "URI, clip id, or file and line of a manifest row."),
        Column("version", "string", "State of the input, or version of the features; new versions are retried."),
        Column("reason", "string", "Reason code, from the closed set in errors.py.", nullable=False),
        Column("detail", "string", "Reason in words: what, where, what to do."),
        Column("path", "string", "Path for display."),
        Column("run_id", "string", "Run that wrote the row.", volatile=True),
        Column("at", "timestamp", "When it happened.", volatile=True),
        Column(
            "attempts",
            "int",
            "Number of runs that failed for an unknown reason; retried until three runs have failed. Else NULL.",
        ),
    ),
)

RUNS = Table(
    name="runs",
    comment="One row per run of a step.",
    written_by=("every step",),
    key=("run_id",),
    cluster_by=("run_id",),
    family="operations",
    columns=(
        Column("run_id", "string", "Id of the run."),
        Column("step", "string", "Name of the step.", nullable=False),
        Column("status", "string", "done, failed or stopped.", nullable=False),
        Column("started_at", "timestamp", "Start of the run.", volatile=True),
        Column("ended_at", "timestamp", "End of the run.", volatile=True),
        Column("n_read", "bigint", "Number of pending items that the step found."),
        Column("n_written", "bigint", "Number of items processed."),
        Column("n_failed", "bigint", "Number of items that failed, with a reason."),
        Column("n_skipped", "bigint", "Number of items not attempted, with a reason."),
        Column("error", "string", "Error that ended the run; else NULL."),
        Column("versions", "map<string,string>", "Versions of Python and packages.", volatile=True),
        Column("config", "string", "Configuration as JSON, secrets left out.", volatile=True),
        Column("git_commit", "string", "Commit of the code.", volatile=True),
    ),
)

FETCH_ATTEMPTS = Table(
    name="fetch_attempts",
    comment="One row per attempt to fetch something from a provider, successful or not.",
    written_by=("every step",),
    key=("task", "key", "provider", "attempt"),
    cluster_by=("task", "key"),
    family="operations",
    columns=(
        Column("task", "string", "Step, or part of a step, that fetched."),
        Column("key", "string", "What was requested, such as a song id; * where the whole provider was paused."),
        Column("provider", "string", "Provider of the request."),
        Column("attempt", "int", "Number of the attempt with this provider, from 1; 0 where the key is *."),
        Column(
            "status",
            "string",
            "ok; retry: repeated when next_retry_at is reached; final: not requested again for this key; paused: no "
            "requests to the provider.",
            nullable=False,
        ),
        Column("http_status", "int", "Status of the last response; NULL without one."),
        Column("reason", "string", "Reason code, from the closed set in errors.py; NULL for ok."),
        Column("detail", "string", "Reason in words, without query strings of URLs."),
        Column("at", "timestamp", "When it happened.", volatile=True),
        Column("next_retry_at", "timestamp", "Earliest time of the next attempt.", volatile=True),
        Column("run_id", "string", "Run that made the attempt.", volatile=True),
        Column(
            "decoder_release", "string", "Release of the decoder; audio that an older release refused is fetched again."
        ),
    ),
)

OPERATIONS_TABLES = (QUARANTINE, RUNS, FETCH_ATTEMPTS)
