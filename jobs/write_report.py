"""Write the report page."""

from genreatlas.cli import main
from genreatlas.steps import write_report

if __name__ == "__main__":
    main(write_report)
