"""Every column of the files that a judgement writes, with its type and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """``type`` is text, whole, number, truth, list of texts, time or record; with ``?`` it may be empty."""

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
    """The layout of a Parquet file of these columns."""
    return pa.schema([(name, _ARROW[column.type.removesuffix("?")]) for name, column in described.items()])


#: Where a repetition stands in the campaign.
_PLACE: Final = {
    "block": ("text", "folder of the block, such as `003-patched-idle`"),
    "index": ("whole", "place of the block in the schedule, from 0"),
    "scenario": ("text", "CPU condition: `idle`, `busy` or `rt-busy`"),
    "variant": ("text", "kernel under test, by the name that the plan gives it"),
    "pair": ("whole", "pair of the block, unique within a scenario; the unit of inference"),
    "rep": ("whole", "repetition in the block, from 0"),
}

#: metrics.parquet: a row for each repetition and metric.
METRICS: Final = columns(
    **_PLACE,
    metric=("text", "name of the metric; docs/metrics.md defines each"),
    value=("number?", "the figure, in `unit`; empty where it cannot be known, never 0 for that"),
    unit=("text", "unit of `value`"),
    reason=("text?", "why there is no value; beside a value, a caution"),
    rep_valid=("truth", "whether the repetition counts; void ones stay in the table"),
    trace_reasons=("list of texts", "what is wrong with the trace; empty for a whole one"),
    trace_sha256=("text", "SHA-256 of the trace that was read; empty where none was"),
    engine=("text", "trace processor and its version"),
    engine_sha256=("text", "SHA-256 of the trace processor"),
    definitions=("text", "SHA-256 over the sources that define the metrics"),
)

#: verdicts.json: a row for each scenario, metric and variant.
VERDICTS: Final = columns(
    scenario=("text", "CPU condition"),
    metric=("text", "name of the metric"),
    baseline=("text", "name of the first variant, which the others are compared with"),
    variant=("text", "name of the variant that is compared"),
    verdict=(
        "text",
        "IMPROVED, REGRESSED, CHANGED (a metric without a better direction), SAME or UNDECIDED",
    ),
    reason=("text", "why this verdict, in words"),
    primary=("truth", "fixed beforehand as a primary metric: judged with Holm's correction"),
    exploratory=("truth", "never gates: too few pairs, or not a primary metric of a full campaign"),
    unit=("text", "unit of the metric"),
    direction=("text", "which way is better: lower, higher, or none"),
    family=("text", "group of metrics in reports"),
    scale=("text", "how the variants are compared: ratio or difference"),
    ratio=("number?", "variant / baseline: Hodges-Lehmann estimate over pairs; empty on scale difference"),
    ci_low=("number?", "lower end of the interval of `ratio`"),
    ci_high=("number?", "upper end of the interval of `ratio`"),
    ci_level=("number?", "exact level of the interval, at least 0.95 where the pairs allow it"),
    equivalence_low=("number?", "lower end of the interval that SAME is judged by"),
    equivalence_high=("number?", "upper end of the interval that SAME is judged by"),
    equivalence_level=("number?", "exact level of that interval, at least 0.90 where the pairs allow it"),
    difference=("number?", "variant - baseline in `unit`: Hodges-Lehmann estimate over pairs"),
    difference_ci_low=("number?", "lower end of the interval of `difference`"),
    difference_ci_high=("number?", "upper end of the interval of `difference`"),
    p=("number?", "exact sign-flip permutation test on `scale`, two-sided, not adjusted"),
    p_holm=("number?", "the same, adjusted over the primaries of a scenario; empty for others"),
    threshold=("number", "practical threshold as a share of the baseline"),
    threshold_value=("number?", "the bound that was used: a ratio, or a difference in `unit`"),
    pairs=("whole", "pairs that count and know the metric"),
    planned=("whole", "pairs of the plan"),
    finished=("whole", "pairs with both blocks at their end"),
    voids=("whole", "pairs that broke a rule fixed beforehand"),
    kernel_failures=("whole", "pairs in which a kernel under test failed"),
    missing=("whole", "valid pairs in which the metric is not known"),
    pairs_needed=("whole?", "for UNDECIDED: pairs with which this effect would be decided"),
    detectable=(
        "number?",
        "smallest change (ratio - 1, or a difference) that is found in 80 % of such campaigns",
    ),
    spread=("number?", "standard deviation of the pair differences (log ratios on scale ratio)"),
    baseline_median=("number?", "median of the baseline's blocks, in `unit`"),
    variant_median=("number?", "median of the variant's blocks, in `unit`"),
    same_kernel=("truth", "an A/A comparison: one kernel under two names"),
    cautions=("list of texts", "what a reader must know before trusting the row"),
    with_voids=("record", "the same comparison with void pairs taken in; its fields are below"),
)

#: The record `with_voids` of a verdict; in frames its fields are columns ``with_voids_<field>``.
WITH_VOIDS: Final = columns(
    pairs=("whole", "pairs taken in"),
    ratio=("number?", "as `ratio` above"),
    ci_low=("number?", "lower end of its interval"),
    ci_high=("number?", "upper end of its interval"),
    difference=("number?", "as `difference` above"),
    difference_ci_low=("number?", "lower end of its interval"),
    difference_ci_high=("number?", "upper end of its interval"),
    p=("number?", "as `p` above"),
)

#: distributions.parquet: a row for each kept event of each repetition, or one that says why none is.
DISTRIBUTIONS: Final = columns(
    **_PLACE,
    distribution=(
        "text",
        "`direct_reclaim_ms`: every direct reclaim that begins in the window and ends in the trace,"
        " without the compression thread's own; `switch_latency_hot_ms`, `_warm_`, `_cold_`: each app"
        " switch of that class, as the launch command timed it",
    ),
    unit=("text", "unit of `value`"),
    value=("number?", "length of an event; ascending within a repetition; empty if there was none"),
    count=(
        "whole?",
        "events that this row stands for: above the value before it, up to this one. 1 each up to 500"
        " events; of more, 400 even ranks and the 100 largest are kept",
    ),
    reason=("text?", "why nothing could be recorded; empty beside an empty value: no such event happened"),
    rep_valid=("truth", "whether the repetition counts"),
    trace_sha256=("text", "SHA-256 of the trace that was read"),
)

#: timelines.parquet: a row for each step of each quantity in each repetition.
TIMELINES: Final = columns(
    **_PLACE,
    series=(
        "text",
        "`kswapd_cpu_share`, `compression_cpu_share`: time on a CPU, all such threads together;"
        " `queue_pages`: pages offered and not yet compressed; `free_memory_mb`: MemFree;"
        " `psi_memory_some_share`: share of time in which some task stalled on memory;"
        " `direct_reclaim_tasks`: tasks in direct reclaim at once",
    ),
    unit=("text", "unit of `value`"),
    t_s=("number?", "from here on, from the begin of the measured window"),
    value=(
        "number?",
        "where it comes from events, the mean from here to the next row (at most 400 a window); of"
        " `psi_memory_some_share` too, between two readings; else the reading of a counter at this time",
    ),
    reason=("text?", "why the quantity is not known; the row then has no value"),
    rep_valid=("truth", "whether the repetition counts"),
    trace_sha256=("text", "SHA-256 of the trace that was read"),
)
