-- Values of one counter of the suite up to the end of the window.
SELECT c.ts, c.value
FROM counter AS c
JOIN track AS t ON c.track_id = t.id
WHERE
  t.type = 'global_counter_track_event' AND t.name = '{name}'
  AND c.ts <= {end}
ORDER BY c.ts
