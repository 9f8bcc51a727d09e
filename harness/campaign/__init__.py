"""A campaign: its options, plan and balanced schedule, the block runner, and the results folder."""
