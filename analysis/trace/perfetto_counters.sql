-- Perfetto's own polled counters at the edges of the suite's window; PSI is in ns there.
-- The bare column beside max(ts) is the value of that row (SQLite's rule for min and max).
WITH own AS (
  SELECT
    id,
    CASE type
      WHEN 'psi' THEN REPLACE(name, 'psi.mem.', 'psi.memory.') || '_total_us'
      ELSE 'vmstat.' || name
    END AS name,
    IIF(type = 'psi', 1e-3, 1) AS factor
  FROM track
  WHERE type IN ('vmstat', 'psi')
),
first AS (
  SELECT track_id, MAX(ts) AS ts, value FROM counter
  WHERE ts <= {begin} AND track_id IN (SELECT id FROM own) GROUP BY track_id
),
last AS (
  SELECT track_id, MAX(ts) AS ts, value FROM counter
  WHERE ts <= {end} AND track_id IN (SELECT id FROM own) GROUP BY track_id
)
SELECT own.name, first.value * factor, last.value * factor, first.ts, last.ts
FROM own
JOIN first ON first.track_id = own.id
JOIN last ON last.track_id = own.id
