"""Type aliases for dictionaries whose value types are known only at run time: rows of tables, JSON, parameters."""

from collections.abc import Mapping
from typing import Any, TypeAlias

#: A row of a table, to be modified: value by column name.
Row: TypeAlias = dict[str, Any]
#: A row of a table, read-only.
RowView: TypeAlias = Mapping[str, Any]
#: A JSON object, to be modified.
JsonObject: TypeAlias = dict[str, Any]
#: A JSON object, read-only.
JsonView: TypeAlias = Mapping[str, Any]
#: Parameters of an estimator, or keys of a section of the configuration, by name.
Params: TypeAlias = Mapping[str, Any]
