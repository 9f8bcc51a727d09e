"""Tests of the suite itself: unit, fake, virtual."""
