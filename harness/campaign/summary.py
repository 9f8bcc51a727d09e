"""What the terminal shows at the end: the verdict table, and where the report is."""

from __future__ import annotations

from analysis.report.page import write
from analysis.report.terminal import verdict_table
from foundation.errors import SuiteError
from harness.campaign.session import CampaignSession


def summary_text(session: CampaignSession) -> str:
    """Judge what is on disk, write the report, and return the text for the terminal."""
    try:
        judgement = session.judge()
        if judgement is None:
            return "nothing was measured"
        page = write(session.store.root)
    except SuiteError as error:
        return f"no verdict: {error}"
    return f"{verdict_table(judgement)}\n\nreport: {page}"
