-- Direct reclaim: reclaim by the thread that asked for memory.

INCLUDE PERFETTO MODULE reclaim.threads;

-- Outermost direct reclaims of all threads, in the whole trace. Needs
-- mm_vmscan_direct_reclaim_begin and mm_vmscan_direct_reclaim_end.
CREATE PERFETTO TABLE reclaim_direct (
  -- Id of the slice.
  id JOINID(slice.id),
  -- Start.
  ts TIMESTAMP,
  -- Length; -1 if the end was not recorded.
  dur DURATION,
  -- The thread that reclaims.
  utid JOINID(thread.id),
  -- Its role in reclaim. The suite's figures exclude the roles reclaim and compression.
  role STRING
)
AS
SELECT s.id, s.ts, s.dur, tt.utid, t.role
FROM slice AS s
JOIN thread_track AS tt ON s.track_id = tt.id
LEFT JOIN reclaim_thread AS t ON t.utid = tt.utid
WHERE
  s.name = 'mm_vmscan_direct_reclaim'
  AND (
    s.depth = 0
    OR NOT EXISTS (SELECT 1 FROM ancestor_slice(s.id) AS a WHERE a.name = s.name)
  )
ORDER BY s.ts;

-- Number of threads in direct reclaim; a row for each change.
CREATE PERFETTO VIEW reclaim_direct_depth (
  -- Start of this value.
  ts TIMESTAMP,
  -- Threads in direct reclaim, without those of roles reclaim and compression.
  threads LONG
)
AS
WITH step AS (
  SELECT ts, 1 AS change FROM reclaim_direct
  WHERE COALESCE(role, '') NOT IN ('reclaim', 'compression')
  UNION ALL
  SELECT ts + dur, -1 FROM reclaim_direct
  WHERE COALESCE(role, '') NOT IN ('reclaim', 'compression') AND dur >= 0
),
total AS (
  SELECT ts, SUM(change) AS change FROM step GROUP BY ts
)
SELECT ts, SUM(change) OVER (ORDER BY ts) AS threads FROM total;
