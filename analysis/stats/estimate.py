"""The estimate of a paired effect."""

from __future__ import annotations

import numpy as np

from analysis.stats.signflip import Floats


def hodges_lehmann(differences: Floats) -> float:
    """Median of the Walsh averages (d_i + d_j) / 2 for i <= j, in the unit of the differences.

    Robust against an outlying pair (breakdown point 0.29); on normal differences it needs 5 % more
    pairs than the mean (J. L. Hodges, E. L. Lehmann, 1963). ValueError without a difference.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError("an estimate needs at least one difference")
    first, second = np.triu_indices(values.size)
    return float(np.median((values[first] + values[second]) / 2.0))
