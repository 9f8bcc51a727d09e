-- App switches of the workload.

INCLUDE PERFETTO MODULE reclaim.window;

-- One row for each app switch by the suite, in the whole trace.
CREATE PERFETTO TABLE reclaim_switch (
  -- Id of the slice.
  id JOINID(slice.id),
  -- When the launch was requested.
  ts TIMESTAMP,
  -- Until the launch command returned: longer than the launch itself.
  dur DURATION,
  -- Package that was brought to the front.
  package STRING,
  -- Index in the workload, from 0.
  switch_index LONG,
  -- HOT, WARM or COLD, as reported by `am start -W`.
  launch_state STRING,
  -- Launch time as reported by `am start -W` (TotalTime); NULL if it reported none.
  total_time_ms DOUBLE,
  -- 1 if the app's process died after it was last in the foreground.
  killed_since_last LONG,
  -- 1 if the switch starts in the measured window.
  in_window LONG
)
AS
SELECT
  s.id,
  s.ts,
  s.dur,
  s.name AS package,
  CAST(extract_arg(s.arg_set_id, 'debug.index') AS INT) AS switch_index,
  extract_arg(s.arg_set_id, 'debug.launch_state') AS launch_state,
  CAST(extract_arg(s.arg_set_id, 'debug.total_time_ms') AS REAL) AS total_time_ms,
  COALESCE(extract_arg(s.arg_set_id, 'debug.killed_since_last'), 0) AS killed_since_last,
  s.ts >= w.ts AND s.ts < w.ts + w.dur AS in_window
FROM reclaim_suite_slice AS s
CROSS JOIN reclaim_window AS w
WHERE s.track = 'app switches'
ORDER BY s.ts;
