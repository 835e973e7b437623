"""Import of precomputed feature tables (CSV or Parquet) as songs, genres and a feature set."""

from genreatlas.sources.feature_tables.columns import FeatureColumn, Features
from genreatlas.sources.feature_tables.importing import ImportedTable, Rejected, import_table, inputs_digest

__all__ = ["FeatureColumn", "Features", "ImportedTable", "Rejected", "import_table", "inputs_digest"]
