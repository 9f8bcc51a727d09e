-- Begin and end of each outermost direct reclaim that overlaps the window, ns, without those of
-- the threads given.
SELECT s.ts, IIF(s.dur < 0, {trace_end}, s.ts + s.dur) AS until
FROM slice AS s
JOIN thread_track AS tt ON s.track_id = tt.id
WHERE
  s.name = 'mm_vmscan_direct_reclaim'
  AND s.ts < {end} AND (s.dur < 0 OR s.ts + s.dur > {begin})
  AND tt.utid NOT IN (SELECT id FROM thread WHERE id IN ({own}))
  AND (
    s.depth = 0
    OR NOT EXISTS (SELECT 1 FROM ancestor_slice(s.id) AS a WHERE a.name = s.name)
  )
