-- When kswapd is awake, and when a compression thread preempts it.

INCLUDE PERFETTO MODULE reclaim.threads;

-- From each wake-up of kswapd to its next sleep. kswapd emits a wake event for each round of
-- balancing, so one time awake can be several adjacent rows. At the edges of the trace: a thread
-- whose first event is a sleep was awake from the start of the trace, one whose last event is a
-- wake is awake until its end. Needs mm_vmscan_kswapd_wake and mm_vmscan_kswapd_sleep.
CREATE PERFETTO TABLE reclaim_kswapd_awake (
  -- Start.
  ts TIMESTAMP,
  -- Length.
  dur DURATION,
  -- The kswapd thread.
  utid JOINID(thread.id)
)
AS
WITH event AS (
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
SELECT ts, until - ts AS dur, utid FROM event
WHERE awake
UNION ALL
SELECT start_ts, ts - start_ts, utid FROM event
CROSS JOIN trace_bounds
WHERE n = 1 AND NOT awake
ORDER BY ts;

-- Times in which kswapd was runnable but preempted by a compression thread.
CREATE PERFETTO VIEW reclaim_kswapd_preempted (
  -- When it was preempted.
  ts TIMESTAMP,
  -- Until it ran again; -1 if the trace ends first.
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
