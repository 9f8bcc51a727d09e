-- Time on a CPU inside the window; an interval that crosses an edge is cut there.
-- dur is -1 for the interval that the end of the trace left open.
SELECT
  utid,
  SUM(MIN(IIF(dur < 0, {trace_end}, ts + dur), {end}) - MAX(ts, {begin})) AS ns,
  COUNT(*) AS intervals
FROM sched
WHERE utid IN ({utids}) AND ts < {end} AND (dur < 0 OR ts + dur > {begin})
GROUP BY utid
