"""Several shell commands on a device in one round trip, each with its own exit status."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.contract.device import Device
from foundation.errors import DeviceError

_BEGIN: Final = "=== reclaim-suite question"
_STATUS: Final = "=== reclaim-suite status"
_END: Final = re.compile(rf"\n{_STATUS} (\d+)\n")
_QUESTION: Final = re.compile(rf"printf '\\n{_BEGIN} \d+\\n'; {{ (.*) ; }} 2>&1; printf .*")


@dataclass(frozen=True)
class Answer:
    """What one question printed (stderr included) and its exit status."""

    exit_status: int
    text: str

    @property
    def ok(self) -> bool:
        """Whether the question's exit status was 0."""
        return self.exit_status == 0

    @property
    def value(self) -> str | None:
        """The text; None if the question failed, the text is then the reason."""
        return self.text if self.ok else None


def ask_all(device: Device, questions: Mapping[str, str], *, deadline_s: float = 30.0) -> dict[str, Answer]:
    """Run each shell text of ``questions`` and return the answers, stripped, by the same keys.

    A question that fails does not stop the others. DeviceError if answers are missing.
    """
    lines = [
        f"printf '\\n{_BEGIN} {index}\\n'; {{ {text} ; }} 2>&1; printf '\\n{_STATUS} %s\\n' $?"
        for index, text in enumerate(questions.values())
    ]
    output = device.script("\n".join(lines), deadline_s=deadline_s).stdout
    answers: dict[str, Answer] = {}
    for index, key in enumerate(questions):
        _, begin, rest = output.partition(f"\n{_BEGIN} {index}\n")
        end = _END.search(rest)
        if not begin or end is None:
            raise DeviceError(
                f"the device's output holds no answer to '{key}'",
                device=device.serial,
                next_step="check that its shell is a POSIX shell",
            )
        answers[key] = Answer(int(end[1]), rest[: end.start()].strip())
        output = rest[end.start() :]
    return answers


def questions_in(text: str) -> list[str]:
    """The questions of a script that `ask_all` sent; empty for any other text."""
    matches = [_QUESTION.fullmatch(line) for line in text.splitlines()]
    return [match[1] for match in matches if match is not None] if all(matches) else []


def answers_text(answers: Sequence[tuple[int, str]]) -> str:
    """What a device prints for these answers: exit status and text of each, in order."""
    return "".join(
        f"\n{_BEGIN} {index}\n{text}\n{_STATUS} {status}\n" for index, (status, text) in enumerate(answers)
    )
