"""Delete all audio of one provider: from the table, its older versions and the disk."""

from genreatlas.cli import main
from genreatlas.steps import purge

if __name__ == "__main__":
    main(purge)
