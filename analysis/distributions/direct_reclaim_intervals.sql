-- Start and end (ns) of each direct reclaim that overlaps the window, without those of compression
-- threads.
INCLUDE PERFETTO MODULE reclaim.direct;

SELECT ts, IIF(dur < 0, {trace_end}, ts + dur) AS until
FROM reclaim_direct
WHERE
  COALESCE(role, '') != 'compression'
  AND ts < {end} AND (dur < 0 OR ts + dur > {begin})
