"""Versions of the site's database, for Alembic; ``database.py`` applies them."""
