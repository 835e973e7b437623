"""Write what the site shows: an extract of the tables that needs no Spark."""

from genreatlas.cli import main
from genreatlas.steps import publish_site

if __name__ == "__main__":
    main(publish_site)
