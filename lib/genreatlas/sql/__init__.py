"""Views for people who ask in SQL: one file each, for Spark's session, a catalog, and DuckDB."""
