-- Runnable, not running: woken (R) or preempted (R+). Cut at the window's edges.
SELECT
  utid,
  SUM(MIN(IIF(dur < 0, {trace_end}, ts + dur), {end}) - MAX(ts, {begin})) AS ns
FROM thread_state
WHERE
  utid IN ({utids}) AND state IN ('R', 'R+')
  AND ts < {end} AND (dur < 0 OR ts + dur > {begin})
GROUP BY utid
