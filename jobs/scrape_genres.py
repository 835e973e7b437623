"""Read the genres of Every Noise At Once from its pages."""

from genreatlas.cli import main
from genreatlas.steps import scrape_genres

if __name__ == "__main__":
    main(scrape_genres)
