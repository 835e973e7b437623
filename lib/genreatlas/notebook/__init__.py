"""Run Databricks notebooks (source format) locally, and save their outputs as HTML."""
