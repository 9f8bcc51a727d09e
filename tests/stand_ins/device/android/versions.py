"""What differs between versions of Android, by API level.

Perfetto: `perfetto --version` prints ``Perfetto VERSION (REVISION)`` (src/base/version.cc); in a
build of Android the revision is N/A (tools/write_version_header.py without git), and the
version is the newest release in the CHANGELOG of the day the branch was cut. The numbers here
are those of the CHANGELOG in the spring of each year, not read from phones. Quarterly releases of one
Android bring newer ones: `android_phone` takes another. Android 10 and 11 are older: in
src/perfetto_cmd/perfetto_cmd.cc of May 2019 and of July 2020 there is no ``--version`` at all, and
in that of July 2021 no ``--background-wait``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Version:
    """One API level.

    ``perfetto`` is what ``perfetto --version`` prints, None where it is an unknown option.
    ``exit_info``: whether ``dumpsys activity exit-info`` exists (AppExitInfoTracker.java, API 30).
    ``build_id`` begins the build's name (source.android.com/docs/setup/reference/build-numbers).
    """

    api: int
    release: str
    build_id: str
    security_patch: str
    perfetto: str | None
    exit_info: bool = True
    background_wait: bool = True


VERSIONS: Final = {
    version.api: version
    for version in (
        Version(29, "10", "QQ3A.200805.001", "2020-08-05", None, exit_info=False, background_wait=False),
        Version(30, "11", "RQ3A.211001.001", "2021-10-05", None, background_wait=False),
        Version(31, "12", "SP1A.210812.016", "2021-10-05", "Perfetto v15.0 (N/A)", background_wait=False),
        Version(33, "13", "TQ3A.230805.001", "2023-08-05", "Perfetto v25.0 (N/A)"),
        Version(34, "14", "UQ1A.240205.004", "2024-02-05", "Perfetto v33.0 (N/A)"),
        Version(35, "15", "AP3A.241005.015", "2024-10-05", "Perfetto v43.2 (N/A)"),
        Version(36, "16", "BP2A.250605.031", "2025-06-05", "Perfetto v49.0 (N/A)"),
    )
}
