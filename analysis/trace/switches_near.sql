-- Context switches from or to these threads: who ran since when, when it ended, who ran next.
SELECT utid, ts, ts + dur, next_utid
FROM (
  SELECT utid, ts, dur, LEAD(utid) OVER (PARTITION BY cpu ORDER BY ts) AS next_utid
  FROM sched
  WHERE ts < {end} AND (dur < 0 OR ts + dur > {begin})
)
WHERE dur >= 0 AND next_utid IS NOT NULL AND (utid IN ({utids}) OR next_utid IN ({utids}))
  AND ts + dur < {end}
