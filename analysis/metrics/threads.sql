-- Named threads; kernel threads are kthreadd (pid 2) and its children.
SELECT
  t.utid,
  t.tid,
  t.name,
  COALESCE(p.pid = 2 OR parent.pid = 2, 0) AS kernel
FROM thread AS t
LEFT JOIN process AS p ON t.upid = p.upid
LEFT JOIN process AS parent ON p.parent_upid = parent.upid
WHERE t.name IS NOT NULL AND NOT t.is_idle AND t.tid != 0
