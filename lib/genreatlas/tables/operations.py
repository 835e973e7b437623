"""Tables of the work itself: what ran, and what had to be left out."""

from genreatlas.tables.schema import Column, Table

QUARANTINE = Table(
    name="quarantine",
    comment="What could not be used, and why. Nothing here was lost in silence.",
    written_by=("import_folder", "import_features", "extract_features", "evaluate_models"),
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

OPERATIONS_TABLES = (QUARANTINE, RUNS)
