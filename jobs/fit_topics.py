"""Fit audio words and topics on training songs, and compute the shares of topics in all songs."""

from genreatlas.cli import main
from genreatlas.steps import fit_topics

if __name__ == "__main__":
    main(fit_topics)
