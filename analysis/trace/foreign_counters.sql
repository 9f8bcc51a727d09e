-- Perfetto's own polled counters, under the suite's names; PSI is in ns there.
INCLUDE PERFETTO MODULE reclaim.counters;

WITH own AS (
  SELECT track_id AS id, name, factor FROM reclaim_counter_track WHERE NOT of_suite
),
first AS (
  SELECT track_id, MIN(ts) AS ts, value FROM counter
  WHERE track_id IN (SELECT id FROM own) GROUP BY track_id
),
last AS (
  SELECT track_id, MAX(ts) AS ts, value FROM counter
  WHERE track_id IN (SELECT id FROM own) GROUP BY track_id
)
SELECT own.name, first.value * factor, last.value * factor, first.ts, last.ts
FROM own
JOIN first ON first.track_id = own.id
JOIN last ON last.track_id = own.id
