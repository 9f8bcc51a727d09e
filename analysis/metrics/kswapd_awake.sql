-- From a wake to the next sleep of the same thread. kswapd says "wake" again for each round
-- of balancing, so an interval is awake if the event at its begin is a wake, or if it ends
-- with the first event and that is a sleep.
WITH said AS (
  SELECT utid, ts, name = 'mm_vmscan_kswapd_wake' AS awake
  FROM ftrace_event
  WHERE name IN ('mm_vmscan_kswapd_wake', 'mm_vmscan_kswapd_sleep') AND utid IN ({utids})
),
spans AS (
  SELECT ts, LEAD(ts, 1, {trace_end}) OVER (PARTITION BY utid ORDER BY ts) AS until, awake
  FROM said
  UNION ALL
  SELECT {trace_begin}, ts, NOT awake
  FROM (SELECT ts, awake, ROW_NUMBER() OVER (PARTITION BY utid ORDER BY ts) AS n FROM said)
  WHERE n = 1
)
SELECT COALESCE(SUM(MIN(until, {end}) - MAX(ts, {begin})), 0) AS ns
FROM spans
WHERE awake AND ts < {end} AND until > {begin}
