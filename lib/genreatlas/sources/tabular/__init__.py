"""Reader of tables: detects format, encoding and separator from the content, and reports every unreadable row."""

from genreatlas.sources.tabular.reading import RawTable, digest_of, open_text, read_table

__all__ = ["RawTable", "digest_of", "open_text", "read_table"]
