"""Publish the SQL views."""

from genreatlas.cli import main
from genreatlas.steps import publish_views

if __name__ == "__main__":
    main(publish_views)
