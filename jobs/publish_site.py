"""Write the extract of the tables that the site shows without Spark."""

from genreatlas.cli import main
from genreatlas.steps import publish_site

if __name__ == "__main__":
    main(publish_site)
