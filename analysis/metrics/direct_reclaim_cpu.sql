-- CPU time of threads while they are inside a direct reclaim, in the window.
DROP TABLE IF EXISTS reclaim_and_cpu;
DROP VIEW IF EXISTS reclaim_span;
DROP VIEW IF EXISTS reclaim_cpu;

CREATE PERFETTO VIEW reclaim_span AS
SELECT
  tt.utid,
  MAX(s.ts, {begin}) AS ts,
  MIN(IIF(s.dur < 0, {trace_end}, s.ts + s.dur), {end}) - MAX(s.ts, {begin}) AS dur
FROM slice AS s
JOIN thread_track AS tt ON s.track_id = tt.id
WHERE
  s.name = 'mm_vmscan_direct_reclaim' AND tt.utid IN ({utids})
  AND s.ts < {end} AND (s.dur < 0 OR s.ts + s.dur > {begin})
  AND (
    s.depth = 0
    OR NOT EXISTS (SELECT 1 FROM ancestor_slice(s.id) AS a WHERE a.name = s.name)
  );

CREATE PERFETTO VIEW reclaim_cpu AS
SELECT utid, ts, IIF(dur < 0, {trace_end} - ts, dur) AS dur
FROM sched
WHERE utid IN ({utids}) AND ts < {end} AND (dur < 0 OR ts + dur > {begin});

CREATE VIRTUAL TABLE reclaim_and_cpu
USING SPAN_JOIN(reclaim_span PARTITIONED utid, reclaim_cpu PARTITIONED utid);

SELECT COALESCE(SUM(dur), 0) AS ns FROM reclaim_and_cpu
