-- Start and end of each time on a CPU that overlaps the window, ns.
SELECT ts, IIF(dur < 0, {trace_end}, ts + dur) AS until
FROM sched
WHERE utid IN ({utids}) AND ts < {end} AND (dur < 0 OR ts + dur > {begin})
