-- Outermost direct reclaims of all threads that overlap the window; dur -1 where the end
-- was not recorded.
SELECT tt.utid, s.ts, s.dur
FROM slice AS s
JOIN thread_track AS tt ON s.track_id = tt.id
WHERE
  s.name = 'mm_vmscan_direct_reclaim'
  AND s.ts < {end} AND (s.dur < 0 OR s.ts + s.dur > {begin})
  AND (
    s.depth = 0
    OR NOT EXISTS (SELECT 1 FROM ancestor_slice(s.id) AS a WHERE a.name = s.name)
  )
ORDER BY s.ts
