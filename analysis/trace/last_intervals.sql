-- Part in the window of each thread's interval that crosses the window's end.
SELECT utid, SUM({end} - MAX(ts, {begin}))
FROM sched
WHERE utid IN ({utids}) AND ts < {end} AND (dur < 0 OR ts + dur >= {end})
GROUP BY utid
