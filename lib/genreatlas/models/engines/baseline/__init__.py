"""Baselines: what is reached without listening."""
