"""The questions of docs/sql.md: headings and queries."""

import re
from pathlib import Path

_PAGE = Path(__file__).parents[1] / "docs" / "sql.md"


def questions() -> list[tuple[str, str]]:
    """Return every ``##`` heading with the first SQL block below it."""
    return re.findall(r"^## (.*?)\n.*?^```sql\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
