-- The suite's own slices, on global TrackEvent tracks.
SELECT s.ts, s.dur, t.name AS track, s.name, s.arg_set_id
FROM slice AS s
JOIN track AS t ON s.track_id = t.id
WHERE t.name IN ({tracks}) AND t.type GLOB 'global_*track_event'
ORDER BY s.ts
