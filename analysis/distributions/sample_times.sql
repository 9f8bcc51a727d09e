-- When the suite polled counters, in the window, ns: all values of a sample have one time.
SELECT DISTINCT c.ts
FROM counter AS c
JOIN track AS t ON c.track_id = t.id
WHERE t.type = 'global_counter_track_event' AND c.ts BETWEEN {begin} AND {end}
ORDER BY c.ts
