-- Named threads; kernel threads are kthreadd (pid 2) and its children. Perfetto's own process
-- tree lists a kernel thread as a process: where it never ran, only that has its name.
SELECT
  t.utid,
  t.tid,
  COALESCE(t.name, IIF(t.is_main_thread, p.name, NULL)) AS comm,
  COALESCE(p.pid = 2 OR parent.pid = 2, 0) AS kernel
FROM thread AS t
LEFT JOIN process AS p ON t.upid = p.upid
LEFT JOIN process AS parent ON p.parent_upid = parent.upid
WHERE comm IS NOT NULL AND NOT t.is_idle AND t.tid != 0
