"""Remove the audio of one provider for good: from the table, its older versions and the disk."""

from genreatlas.cli import main
from genreatlas.steps import purge

if __name__ == "__main__":
    main(purge)
