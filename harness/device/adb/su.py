"""Root through the phone's ``su``: which form it takes, and what a person must do where it gives none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from foundation.errors import DeviceError
from foundation.quoting import quote

#: In the order tried: Magisk and the like, then AOSP's own.
FORMS: Final = ("su -c {}", "su 0 sh -c {}")
#: Longer than Magisk shows its prompt.
DEADLINE_S: Final = 20.0
#: Magisk denies by itself after 10 s (its setting "Request timeout").
_UNANSWERED_S: Final = 8.0
_NO_PROGRAM: Final = 127
#: Packages of root managers. One that hides itself has another name.
_MANAGERS: Final = {
    "com.topjohnwu.magisk": "Magisk",
    "me.weishu.kernelsu": "KernelSU",
    "me.bmax.apatch": "APatch",
}
#: They show su only to apps that they allow: to all others there is no such file (KernelSU: sucompat.c).
HIDING: Final = ("KernelSU", "APatch")

BEFORE: Final = "asking for root: unlock the phone; if a prompt shows on its screen, tap Grant within 10 s"
GRANT_HIDDEN: Final = "allow 'Shell' (com.android.shell) in its superuser list"


@dataclass(frozen=True)
class Tried:
    """How one form ended: ``exit_status`` None if it did not; ``dur_s`` in seconds."""

    exit_status: int | None
    stdout: str
    dur_s: float


def find_form(run: Callable[[str], Tried], *, serial: str) -> str:
    """The form of su that gives root; ``run`` runs shell text as the adb user.

    DeviceError with the reason as far as su shows it: no su for the shell, a prompt that nobody
    answered, or a denial.
    """
    tried = []
    for form in FORMS:
        one = run(form.format(quote("echo $$; id -u")))
        if one.exit_status == 0 and one.stdout.split()[-1:] == ["0"]:
            return form
        tried.append(one)
        if _unanswered(one):
            # The next form would show the prompt again.
            break
    why, advice = _why(tried)
    raise DeviceError(f"su does not give root: {why}", device=serial, next_step=advice)


def manager_of(packages: Iterable[str]) -> str | None:
    """The root manager among installed packages, if it does not hide."""
    return next((name for package, name in _MANAGERS.items() if package in packages), None)


def _unanswered(one: Tried) -> bool:
    return one.exit_status is None or one.dur_s >= _UNANSWERED_S


def _why(tried: list[Tried]) -> tuple[str, str]:
    if any(map(_unanswered, tried)):
        return (
            "nobody answered the prompt on the phone's screen",
            "unlock the phone, run this again, and tap Grant within 10 s",
        )
    if all(one.exit_status == _NO_PROGRAM for one in tried):
        return (
            "the shell sees no su",
            f"with KernelSU or APatch, {GRANT_HIDDEN}; without either, the phone is not rooted: omit --su",
        )
    return (
        "it is denied to the shell",
        "allow 'Shell' (com.android.shell) in the root manager (Magisk: Superuser), or omit --su",
    )
