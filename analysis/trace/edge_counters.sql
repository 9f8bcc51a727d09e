-- The suite's counters, or Perfetto's own polled ones, at the edges of the suite's window.
-- The bare column next to MAX(ts) is the value of that row (SQLite's rule for MIN and MAX).
INCLUDE PERFETTO MODULE reclaim.counters;

WITH own AS (
  SELECT track_id AS id, name, factor FROM reclaim_counter_track WHERE of_suite = {of_suite}
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
