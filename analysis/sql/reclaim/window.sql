-- The measured time, and what else the suite wrote about its recording.

-- The suite's own slices, on global TrackEvent tracks: the repetition, the capture with its
-- facts, the app switches. Empty in a trace that another recorder made.
CREATE PERFETTO TABLE reclaim_suite_slice (
  -- Number of the slice.
  id JOINID(slice.id),
  -- Begin.
  ts TIMESTAMP,
  -- Length; -1 where the trace ends before the slice.
  dur DURATION,
  -- Name of the track: reclaim-suite, reclaim-suite capture, or app switches.
  track STRING,
  -- Name of the slice.
  name STRING,
  -- Its facts, in the table args under keys that begin with debug.
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

-- The measured window: the repetition that the suite recorded, or the whole trace where it
-- recorded none. One row. Figures of the suite count what lies in it.
CREATE PERFETTO TABLE reclaim_window (
  -- Begin.
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
