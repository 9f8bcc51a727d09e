-- The bare column beside max(ts) is the value of that row (SQLite's rule for min and max).
INCLUDE PERFETTO MODULE reclaim.counters;

WITH own AS (
  SELECT track_id AS id, name FROM reclaim_counter_track WHERE of_suite
),
first AS (
  SELECT track_id, MAX(ts) AS ts, value FROM counter
  WHERE ts <= {begin} AND track_id IN (SELECT id FROM own) GROUP BY track_id
),
last AS (
  SELECT track_id, MAX(ts) AS ts, value FROM counter
  WHERE ts <= {end} AND track_id IN (SELECT id FROM own) GROUP BY track_id
)
SELECT own.name, first.value, last.value, first.ts, last.ts
FROM own
JOIN first ON first.track_id = own.id
JOIN last ON last.track_id = own.id
