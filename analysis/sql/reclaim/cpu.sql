-- CPU time of the threads with a role in reclaim.

INCLUDE PERFETTO MODULE reclaim.threads;

INCLUDE PERFETTO MODULE reclaim.window;

-- Run time and run delay of each thread with a role in the measured window; an interval that
-- crosses an edge is cut there. A thread that never ran has no row.
CREATE PERFETTO VIEW reclaim_cpu (
  -- The thread.
  utid JOINID(thread.id),
  -- Its name.
  comm STRING,
  -- Its role in reclaim.
  role STRING,
  -- Time on a CPU.
  cpu_ns LONG,
  -- Time runnable (state R or R+), but not on a CPU.
  runnable_ns LONG
)
AS
WITH state AS (
  SELECT
    s.utid,
    s.state,
    MIN(IIF(s.dur < 0, b.end_ts, s.ts + s.dur), w.ts + w.dur) - MAX(s.ts, w.ts) AS ns
  FROM thread_state AS s
  CROSS JOIN reclaim_window AS w
  CROSS JOIN trace_bounds AS b
  WHERE
    s.utid IN (SELECT utid FROM reclaim_thread WHERE role IS NOT NULL)
    AND s.state IN ('Running', 'R', 'R+')
    AND s.ts < w.ts + w.dur AND (s.dur < 0 OR s.ts + s.dur > w.ts)
)
SELECT
  t.utid,
  t.comm,
  t.role,
  SUM(IIF(state.state = 'Running', state.ns, 0)) AS cpu_ns,
  SUM(IIF(state.state != 'Running', state.ns, 0)) AS runnable_ns
FROM state
JOIN reclaim_thread AS t USING (utid)
GROUP BY t.utid, t.comm, t.role;
