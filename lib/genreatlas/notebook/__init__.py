"""Run Databricks notebooks (source format) on this machine, and keep what they show as HTML."""
