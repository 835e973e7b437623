"""Names for dictionaries whose values have types that only data tell: rows of tables, JSON, parameters.

The names say what the keys are. A value's type is that of its column, or that of its key.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

#: A row of a table that is being made: column name = value.
Row: TypeAlias = dict[str, Any]
#: A row of a table that is only read.
RowView: TypeAlias = Mapping[str, Any]
#: A JSON object that is being made.
JsonObject: TypeAlias = dict[str, Any]
#: A JSON object that is only read.
JsonView: TypeAlias = Mapping[str, Any]
#: Parameters of an estimator, or keys of a section of the configuration, by name.
Params: TypeAlias = Mapping[str, Any]
