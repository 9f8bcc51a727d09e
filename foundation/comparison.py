"""How the values of one metric under two kernels are compared."""

from __future__ import annotations

from typing import Literal

#: Which way is better; ``none``: neither, the metric describes the work.
Direction = Literal["lower", "higher", "none"]
#: ``ratio`` variant / baseline, or ``difference`` variant - baseline in the metric's unit.
Scale = Literal["ratio", "difference"]
