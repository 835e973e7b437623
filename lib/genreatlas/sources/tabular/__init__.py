"""Tables of rows, whoever wrote them: formats, encodings and separators found by content, every row accounted for."""

from genreatlas.sources.tabular.reading import RawTable, digest_of, open_text, read_table

__all__ = ["RawTable", "digest_of", "open_text", "read_table"]
