-- When kswapd is awake, and when it is pushed off its CPU.

INCLUDE PERFETTO MODULE reclaim.threads;

-- From each wake of kswapd to its next sleep. kswapd says "wake" again for each round of
-- balancing, so one stay awake may be several adjoining rows. At the edges of the trace: a
-- thread whose first event is a sleep was awake from the trace's begin, one whose last event is
-- a wake is awake to the trace's end. Needs mm_vmscan_kswapd_wake and mm_vmscan_kswapd_sleep.
CREATE PERFETTO TABLE reclaim_kswapd_awake (
  -- Begin.
  ts TIMESTAMP,
  -- Length.
  dur DURATION,
  -- The kswapd thread.
  utid JOINID(thread.id)
)
AS
WITH said AS (
  SELECT
    e.utid,
    e.ts,
    e.name = 'mm_vmscan_kswapd_wake' AS awake,
    LEAD(e.ts, 1, (SELECT end_ts FROM trace_bounds)) OVER (PARTITION BY e.utid ORDER BY e.ts) AS until,
    ROW_NUMBER() OVER (PARTITION BY e.utid ORDER BY e.ts) AS n
  FROM ftrace_event AS e
  JOIN reclaim_thread AS t ON t.utid = e.utid
  WHERE
    e.name IN ('mm_vmscan_kswapd_wake', 'mm_vmscan_kswapd_sleep')
    AND t.role = 'reclaim'
)
SELECT ts, until - ts AS dur, utid FROM said
WHERE awake
UNION ALL
SELECT start_ts, ts - start_ts, utid FROM said
CROSS JOIN trace_bounds
WHERE n = 1 AND NOT awake
ORDER BY ts;

-- Times that kswapd stood still, still runnable, because a compression thread took its CPU.
CREATE PERFETTO VIEW reclaim_kswapd_preempted (
  -- When it was pushed off.
  ts TIMESTAMP,
  -- Until it ran again; -1 where the trace ends first.
  dur DURATION,
  -- The kswapd thread.
  utid JOINID(thread.id),
  -- The compression thread that took the CPU.
  by_utid JOINID(thread.id),
  -- The CPU.
  cpu LONG
)
AS
SELECT wait.ts, wait.dur, gone.utid, next.utid AS by_utid, gone.cpu
FROM sched AS gone
JOIN reclaim_thread AS victim ON victim.utid = gone.utid
JOIN sched AS next ON next.cpu = gone.cpu AND next.ts = gone.ts + gone.dur
JOIN reclaim_thread AS taker ON taker.utid = next.utid
JOIN thread_state AS wait ON wait.utid = gone.utid AND wait.ts = gone.ts + gone.dur
WHERE
  victim.role = 'reclaim' AND taker.role = 'compression'
  AND gone.end_state IN ('R', 'R+') AND wait.state IN ('R', 'R+');
