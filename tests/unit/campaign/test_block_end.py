"""Ctrl-C ends a run, whatever fails on the way out."""

from __future__ import annotations

import pytest

from foundation.errors import DeviceLost, SuiteError
from harness.campaign.block import _raise_end_behind


def lost_while(first: BaseException) -> SuiteError:
    try:
        try:
            raise first
        finally:
            raise DeviceLost("the device did not answer while its settings were restored")
    except DeviceLost as error:
        return error


def test_an_error_on_the_way_out_does_not_swallow_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt):
        _raise_end_behind(lost_while(KeyboardInterrupt()))


def test_an_error_behind_an_error_is_one() -> None:
    _raise_end_behind(lost_while(DeviceLost("the cable is out")))
    _raise_end_behind(DeviceLost("the cable is out"))
