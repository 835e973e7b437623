"""One module per job: ``run(store, config) -> Counts`` reads, decides, transforms, writes, counts."""
