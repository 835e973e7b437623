"""Type aliases for arrays whose element type is not fixed, and for row indices."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

#: An array of any element type: features in the precision of their file, ids, labels or groups.
AnyArray: TypeAlias = npt.NDArray[Any]
#: Selects rows of an array: integer positions, or a slice.
RowIndex: TypeAlias = npt.NDArray[np.integer] | slice
