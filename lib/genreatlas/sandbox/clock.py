"""When the beats of a song fall, and the steps between them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genreatlas.sandbox.style import Groove


@dataclass(frozen=True)
class Clock:
    """The beats of one song: its tempo, how it drifts, and its swing."""

    groove: Groove
    beats: npt.NDArray[np.float64]
    swing: float

    @property
    def bars(self) -> int:
        """Whole bars, the last of which may lie behind the end of the clip."""
        return (len(self.beats) - 1) // self.groove.metre.beats

    def time(self, bar: int, step: int) -> float:
        """Return the time in seconds of a grid step; steps may run on into later bars."""
        metre = self.groove.metre
        beat, within = divmod(bar * metre.bar + step, metre.steps)
        beat = min(beat, len(self.beats) - 2)
        start, end = self.beats[beat], self.beats[beat + 1]
        return float(start + (end - start) * self._place(within))

    def _place(self, within: int) -> float:
        """Where in its beat (0 … 1) a step lies; a swung pair divides its time as swing : 1."""
        steps = self.groove.metre.steps
        if self.swing == 1.0 or steps != 4:
            return within / steps
        long = self.swing / (1.0 + self.swing)
        if self.groove.swung == "eighth":
            return (0.0, long / 2, long, (1.0 + long) / 2)[within]
        return (0.0, long / 2, 0.5, 0.5 + long / 2)[within]


def make_clock(
    random: np.random.Generator, groove: Groove, tempo: float, swing: float, live: float, seconds: float
) -> Clock:
    """Return the beats of a song that covers `seconds`.

    Parameters
    ----------
    random : source of the first beat's time and of the drift.
    groove : gives the metre.
    tempo : beats a minute.
    swing : long to short within a pair of steps; 1 is straight.
    live : standard deviation of a player's timing in seconds; 0 keeps strict time.
    seconds : how long the song is; beats cover it, and one bar more.
    """
    period = 60.0 / tempo
    count = int(np.ceil(seconds / period / 0.94)) + 2 * groove.metre.beats + 1
    count += -(count - 1) % groove.metre.beats
    # Players slow down and speed up by a percent or two over some bars, and always come back.
    drift = np.cumsum(random.normal(0.0, 1.0, count)) if live else np.zeros(count)
    drift -= np.linspace(drift[0], drift[-1], count)
    periods = period * (1.0 + np.clip(drift * live * 0.25, -0.025, 0.025))
    first = float(random.uniform(0.05, 0.5))
    return Clock(groove, first + np.concatenate(([0.0], np.cumsum(periods[:-1]))), swing)
