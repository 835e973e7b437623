"""Steps of the pipeline, one module per job. Each has a function ``run(store, config) -> Counts``."""
