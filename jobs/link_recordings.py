"""Find songs that are copies of one recording, by acoustic fingerprints."""

from genreatlas.cli import main
from genreatlas.steps import link_recordings

if __name__ == "__main__":
    main(link_recordings)
