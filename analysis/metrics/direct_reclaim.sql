-- Direct reclaims of all threads that overlap the window; dur -1 where the end was not recorded.
INCLUDE PERFETTO MODULE reclaim.direct;

SELECT utid, ts, dur
FROM reclaim_direct
WHERE ts < {end} AND (dur < 0 OR ts + dur > {begin})
ORDER BY ts
