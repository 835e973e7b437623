"""Alembic migrations of the site's database, applied by ``database.py``."""
