"""Names for the types of arrays in annotations.

The width of a number is part of a docstring only where it matters, such as in a file's format. Where a type says float,
float32 and float64 are both allowed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]
UInt8Array = NDArray[np.uint8]  # the pixels of pictures
AnyArray = NDArray[Any]  # of any type, such as an array that is not checked yet
