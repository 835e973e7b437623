"""Energy of a filtered signal, without keeping what the filter gives."""

import itertools

import numba
import numpy as np
import numpy.typing as npt

#: Below it a filter's memory is cleared: what decays in silence would become numbers that processors are slow with.
_FAINT = 1e-60


def filtered_energy(
    signal: npt.NDArray[np.floating], sections: npt.NDArray[np.float64], places: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Sum of squares between places of a signal after two second-order sections, (n_places - 1,).

    Parameters
    ----------
    signal : (n,) float32 or float64.
    sections : (2, 6) as scipy lays them out; ``a0`` is 1.
    places : samples, ascending.
    """
    energy = np.zeros(len(places) - 1)
    _filtered_energy(np.ascontiguousarray(signal), sections, places, energy)
    return energy


def filtered_energy_plain(
    signal: npt.NDArray[np.floating], sections: npt.NDArray[np.float64], places: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The same by scipy."""
    from scipy.signal import sosfilt

    power = np.square(sosfilt(sections, signal.astype(np.float64)))
    return np.array([power[a:b].sum() for a, b in itertools.pairwise(places)])


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _filtered_energy(signal, sections, places, energy):  # type: ignore[no-untyped-def]
    """Transposed direct form II, both sections in one pass."""
    b0, b1, b2, _, a1, a2 = sections[0]
    d0, d1, d2, _, c1, c2 = sections[1]
    s1 = s2 = t1 = t2 = 0.0
    start = 0
    for part in range(len(places)):
        total = 0.0
        for i in range(start, places[part]):
            x = np.float64(signal[i])
            y = b0 * x + s1
            s1 = b1 * x - a1 * y + s2
            s2 = b2 * x - a2 * y
            z = d0 * y + t1
            t1 = d1 * y - c1 * z + t2
            t2 = d2 * y - c2 * z
            total += z * z
        if abs(s1) + abs(s2) + abs(t1) + abs(t2) < _FAINT:
            s1 = s2 = t1 = t2 = 0.0
        if part:
            energy[part - 1] = total
        start = places[part]
