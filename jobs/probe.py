"""Probe what tells genres apart without being music, and what changes of the sound cost."""

from genreatlas.cli import main
from genreatlas.steps import probe

if __name__ == "__main__":
    main(probe)
