-- Lengths (ns) of the outermost direct reclaims that begin in the window and end in the trace,
-- without those of the threads given.
SELECT s.dur
FROM slice AS s
JOIN thread_track AS tt ON s.track_id = tt.id
WHERE
  s.name = 'mm_vmscan_direct_reclaim' AND s.dur >= 0
  AND s.ts >= {begin} AND s.ts < {end}
  AND tt.utid NOT IN (SELECT id FROM thread WHERE id IN ({own}))
  AND (
    s.depth = 0
    OR NOT EXISTS (SELECT 1 FROM ancestor_slice(s.id) AS a WHERE a.name = s.name)
  )
