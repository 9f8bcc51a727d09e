-- The measured window, and what else the suite recorded about the capture.

-- The suite's own slices, on global TrackEvent tracks: the repetition, the capture with its
-- facts, the app switches. Empty in a trace by another recorder.
CREATE PERFETTO TABLE reclaim_suite_slice (
  -- Id of the slice.
  id JOINID(slice.id),
  -- Start.
  ts TIMESTAMP,
  -- Length; -1 if the trace ends before the slice.
  dur DURATION,
  -- Name of the track: reclaim-suite, reclaim-suite capture, or app switches.
  track STRING,
  -- Name of the slice.
  name STRING,
  -- Its facts, in the table args under keys that start with debug.
  arg_set_id ARGSETID
)
AS
SELECT s.id, s.ts, s.dur, t.name AS track, s.name, s.arg_set_id
FROM slice AS s
JOIN track AS t ON s.track_id = t.id
WHERE
  t.name IN ('reclaim-suite', 'reclaim-suite capture', 'app switches')
  AND t.type GLOB 'global_*track_event'
ORDER BY s.ts;

-- The measured window: the repetition that the suite recorded, or the whole trace if it recorded
-- none. One row. The suite's figures cover this time.
CREATE PERFETTO TABLE reclaim_window (
  -- Start.
  ts TIMESTAMP,
  -- Length.
  dur DURATION,
  -- 1 for a repetition of the suite, 0 for the whole trace.
  of_suite LONG
)
AS
WITH repetition AS (
  SELECT ts, dur FROM reclaim_suite_slice
  WHERE track = 'reclaim-suite' AND name = 'repetition' AND dur > 0
  ORDER BY ts
  LIMIT 1
)
SELECT ts, dur, 1 AS of_suite FROM repetition
UNION ALL
SELECT start_ts, end_ts - start_ts, 0 FROM trace_bounds
WHERE NOT EXISTS (SELECT 1 FROM repetition);
