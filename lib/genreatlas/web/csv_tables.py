"""CSV tables for download."""

import csv
import io
from collections.abc import Iterable, Sequence

from genreatlas.redaction import is_formula


def as_table(rows: Iterable[Sequence[object]], head: Sequence[str]) -> str:
    """Format rows as CSV; text that a spreadsheet would interpret as a formula is prefixed with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    for row in rows:
        writer.writerow([f"'{cell}" if isinstance(cell, str) and is_formula(cell) else cell for cell in row])
    return text.getvalue()
