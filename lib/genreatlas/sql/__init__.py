"""SQL views over the store, one file each, for a Spark session, a catalog and DuckDB."""
