"""Every column of the files that a judgement writes, with its type and meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """``type``: text, whole, number, truth, list of texts, time or record; with ``?`` it may be empty."""

    type: str
    text: str


Columns = Mapping[str, Column]

_ARROW: Final = {
    "text": pa.string(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "truth": pa.bool_(),
    "list of texts": pa.list_(pa.string()),
}


def columns(**described: tuple[str, str]) -> Columns:
    """Columns by name, in this order, each with its type and meaning."""
    return MappingProxyType({name: Column(*words) for name, words in described.items()})


def schema(described: Columns) -> pa.Schema:
    """The Parquet schema of these columns."""
    return pa.schema([(name, _ARROW[column.type.removesuffix("?")]) for name, column in described.items()])


#: Place of a repetition in the campaign.
_PLACE: Final = {
    "block": ("text", "folder of the block, such as `003-patched-idle`"),
    "index": ("whole", "place of the block in the schedule, from 0"),
    "scenario": ("text", "CPU condition: `idle`, `busy` or `rt-busy`"),
    "variant": ("text", "kernel under test, by its name in the plan"),
    "pair": ("whole", "pair of the block, unique within a scenario; the unit of inference"),
    "rep": ("whole", "repetition in the block, from 0"),
}

#: metrics.parquet: a row for each repetition and metric.
METRICS: Final = columns(
    **_PLACE,
    metric=("text", "name of the metric; docs/metrics.md defines each"),
    value=("number?", "the figure, in `unit`; empty, never 0, if it cannot be known"),
    unit=("text", "unit of `value`"),
    reason=("text?", "why there is no value; with a value, a caution"),
    rep_valid=("truth", "whether the repetition counts for this metric; void ones stay in the table"),
    trace_reasons=("list of texts", "what the trace lost of the data of this metric; empty if nothing"),
    trace_sha256=("text", "SHA-256 of the trace that was read; empty if none was"),
    engine=("text", "trace processor and its version"),
    engine_sha256=("text", "SHA-256 of the trace processor"),
    definitions=("text", "SHA-256 over the sources that define the metrics"),
)

#: verdicts.json: a row for each scenario, metric and variant.
VERDICTS: Final = columns(
    scenario=("text", "CPU condition"),
    metric=("text", "name of the metric"),
    baseline=("text", "name of the baseline, the first variant"),
    variant=("text", "name of the variant that is compared with the baseline"),
    verdict=(
        "text",
        "IMPROVED, REGRESSED, CHANGED (a metric without a better direction), SAME or UNDECIDED",
    ),
    reason=("text", "reason of the verdict"),
    primary=("truth", "named beforehand as a primary metric: judged with Holm's correction"),
    exploratory=("truth", "never gates: too few pairs, or not a primary metric of a full campaign"),
    unit=("text", "unit of the metric"),
    direction=("text", "which way is better: lower, higher, or none"),
    family=("text", "group of metrics in reports"),
    scale=("text", "how the variants are compared: ratio or difference"),
    ratio=("number?", "variant / baseline: Hodges-Lehmann estimate over pairs; empty on scale difference"),
    ci_low=("number?", "lower end of the interval of `ratio`"),
    ci_high=("number?", "upper end of the interval of `ratio`"),
    ci_level=("number?", "exact level of the interval, at least 0.95 if there are enough pairs"),
    equivalence_low=("number?", "lower end of the interval that decides SAME"),
    equivalence_high=("number?", "upper end of the interval that decides SAME"),
    equivalence_level=("number?", "exact level of that interval, at least 0.90 if there are enough pairs"),
    difference=("number?", "variant - baseline in `unit`: Hodges-Lehmann estimate over pairs"),
    difference_ci_low=("number?", "lower end of the interval of `difference`"),
    difference_ci_high=("number?", "upper end of the interval of `difference`"),
    p=("number?", "exact sign-flip permutation test on `scale`, two-sided, not adjusted"),
    p_holm=("number?", "the same, adjusted over the primaries of a scenario; empty for others"),
    threshold=("number", "practical threshold as a share of the baseline"),
    threshold_value=("number?", "the bound that was used: a ratio, or a difference in `unit`"),
    pairs=("whole", "valid pairs with a value of the metric"),
    planned=("whole", "planned pairs"),
    finished=("whole", "pairs of which both blocks have ended"),
    voids=("whole", "pairs that are void for this metric by a rule fixed beforehand"),
    kernel_failures=("whole", "pairs in which a kernel under test failed"),
    missing=("whole", "valid pairs in which the metric is unknown"),
    pairs_needed=("whole?", "for UNDECIDED: pairs that would decide this effect"),
    detectable=(
        "number?",
        "smallest change (ratio - 1, or a difference) that 80 % of such campaigns would detect",
    ),
    spread=("number?", "standard deviation of the pair differences (log ratios on scale ratio)"),
    baseline_median=("number?", "median of the block values of the baseline, in `unit`"),
    variant_median=("number?", "median of the block values of the variant, in `unit`"),
    same_kernel=("truth", "an A/A comparison: one kernel under two names"),
    cautions=("list of texts", "what to know before trusting the row"),
    with_voids=("record", "the same comparison including void pairs; its fields are below"),
)

#: Also in each entry of verdicts.json, if the campaign tells them: phones and older ones do not.
MEASURED_ON: Final = columns(
    clock=("text", "`instructions` of an emulator (2 ns each), or `host`: time as a clock shows it"),
    base=("text", "kernel series, architecture and page size, such as `6.12-arm64`"),
    page_kb=("whole", "page size of the device, KiB"),
)

#: The record `with_voids` of a verdict; in frames its fields are columns ``with_voids_<field>``.
WITH_VOIDS: Final = columns(
    pairs=("whole", "pairs included"),
    ratio=("number?", "as `ratio` above"),
    ci_low=("number?", "lower end of its interval"),
    ci_high=("number?", "upper end of its interval"),
    difference=("number?", "as `difference` above"),
    difference_ci_low=("number?", "lower end of its interval"),
    difference_ci_high=("number?", "upper end of its interval"),
    p=("number?", "as `p` above"),
)

#: distributions.parquet: a row for each kept event of each repetition, or one with the reason for none.
DISTRIBUTIONS: Final = columns(
    **_PLACE,
    distribution=(
        "text",
        "`direct_reclaim_ms`: every direct reclaim that starts in the window and ends in the trace,"
        " without those of compression threads; `switch_latency_hot_ms`, `_warm_`, `_cold_`: each app"
        " switch of that class, by the launch time of `am start -W`",
    ),
    unit=("text", "unit of `value`"),
    value=("number?", "length of an event; ascending within a repetition; empty if there was none"),
    count=(
        "whole?",
        "events that this row stands for: above the previous value, up to this one. 1 each for up to"
        " 500 events; of more, 400 evenly spaced ranks and the 100 largest are kept",
    ),
    reason=(
        "text?",
        "why nothing was recorded; if empty as well as the value, no such event happened",
    ),
    rep_valid=("truth", "whether the repetition counts"),
    trace_sha256=("text", "SHA-256 of the trace that was read"),
)

#: timelines.parquet: a row for each step of each quantity in each repetition.
TIMELINES: Final = columns(
    **_PLACE,
    series=(
        "text",
        "`kswapd_cpu_share`, `compression_cpu_share`: CPU time of all such threads;"
        " `queue_pages`: pages queued and not yet compressed; `free_memory_mb`: MemFree;"
        " `psi_memory_some_share`: share of time in which some task stalled on memory;"
        " `direct_reclaim_tasks`: tasks in direct reclaim at once",
    ),
    unit=("text", "unit of `value`"),
    t_s=("number?", "start of the step, from the start of the measured window"),
    value=(
        "number?",
        "from events: the mean from here to the next row (at most 400 a window), for"
        " `psi_memory_some_share` between two readings; else a counter's reading at this time",
    ),
    reason=("text?", "why the quantity is unknown; the row then has no value"),
    rep_valid=("truth", "whether the repetition counts"),
    trace_sha256=("text", "SHA-256 of the trace that was read"),
)
