-- The kernel's counters under one set of names, whichever recorder read them.

-- Counter tracks by the suite's names: vmstat.KEY (pages or events), meminfo.KEY_kb,
-- psi.RESOURCE.LINE_total_us, schedstat.COMM-TID.FIELD, zramN.mm_stat.FIELD.
CREATE PERFETTO TABLE reclaim_counter_track (
  -- The counter track.
  track_id JOINID(track.id),
  -- Name of the counter.
  name STRING,
  -- Factor for its values: Perfetto's own PSI counters are in ns.
  factor DOUBLE,
  -- 1 if the suite sampled it exactly at the edges of the window, 0 if Perfetto polled it.
  of_suite LONG
)
AS
SELECT
  id AS track_id,
  CASE type
    WHEN 'psi' THEN REPLACE(name, 'psi.mem.', 'psi.memory.') || '_total_us'
    WHEN 'vmstat' THEN 'vmstat.' || name
    ELSE name
  END AS name,
  IIF(type = 'psi', 1e-3, 1.0) AS factor,
  type = 'global_counter_track_event' AS of_suite
FROM track
WHERE type IN ('vmstat', 'psi', 'global_counter_track_event');

-- Every value of these counters, in the whole trace.
CREATE PERFETTO VIEW reclaim_counter (
  -- When it was read.
  ts TIMESTAMP,
  -- Name of the counter, as in reclaim_counter_track.
  name STRING,
  -- Its value since boot.
  value DOUBLE
)
AS
SELECT c.ts, t.name, c.value * t.factor AS value
FROM counter AS c
JOIN reclaim_counter_track AS t USING (track_id);
