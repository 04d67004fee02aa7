"""Names for the arrays that go from room to room."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""``(h, w)`` grey, or ``(h, w, 3)`` red, green and blue; white = 255.

An array is an *image*, drawn, photographed or stored. A *sheet* is the paper that it shows, a *page* a file for people.
"""

Images = npt.NDArray[np.uint8]
"""``(n, h, w)`` of them, of one size."""

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
