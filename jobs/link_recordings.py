"""Find songs that are one recording, by their acoustic fingerprints."""

from genreatlas.cli import main
from genreatlas.steps import link_recordings

if __name__ == "__main__":
    main(link_recordings)
