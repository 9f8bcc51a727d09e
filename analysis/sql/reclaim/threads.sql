-- Threads of the trace, and their roles in reclaim.

INCLUDE PERFETTO MODULE reclaim.roles;

-- Every named thread except the idle ones. Perfetto's own process tree lists a kernel thread as a
-- process: if the thread never ran, only the process has its name.
CREATE PERFETTO TABLE reclaim_thread (
  -- Id of the thread in this trace.
  utid JOINID(thread.id),
  -- TID of the thread on the device.
  tid LONG,
  -- Name of the thread, truncated to 15 characters by the kernel.
  comm STRING,
  -- 1 for kthreadd (pid 2) and its children.
  kernel LONG,
  -- Role in reclaim (reclaim_role_of); NULL for most threads.
  role STRING
)
AS
WITH named AS (
  SELECT
    t.utid,
    t.tid,
    COALESCE(t.name, IIF(t.is_main_thread, p.name, NULL)) AS comm,
    COALESCE(p.pid = 2 OR parent.pid = 2, 0) AS kernel
  FROM thread AS t
  LEFT JOIN process AS p ON t.upid = p.upid
  LEFT JOIN process AS parent ON p.parent_upid = parent.upid
  WHERE NOT t.is_idle AND t.tid != 0
)
SELECT utid, tid, comm, kernel, reclaim_role_of(comm) AS role
FROM named
WHERE comm IS NOT NULL
ORDER BY utid;
