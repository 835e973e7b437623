"""Spark ML, on all cores a candidate."""
