"""Tables that the site lets one save."""

import csv
import io
from collections.abc import Iterable, Sequence

from genreatlas.redaction import is_formula


def as_table(rows: Iterable[Sequence[object]], head: Sequence[str]) -> str:
    """Rows as CSV in which no text is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    for row in rows:
        writer.writerow([f"'{cell}" if isinstance(cell, str) and is_formula(cell) else cell for cell in row])
    return text.getvalue()
