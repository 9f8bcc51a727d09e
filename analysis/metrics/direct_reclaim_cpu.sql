-- CPU time of threads inside direct reclaim in the window, ns.
INCLUDE PERFETTO MODULE reclaim.direct;

DROP TABLE IF EXISTS reclaim_and_cpu;
DROP VIEW IF EXISTS reclaim_span;
DROP VIEW IF EXISTS reclaim_cpu;

CREATE PERFETTO VIEW reclaim_span AS
SELECT
  utid,
  MAX(ts, {begin}) AS ts,
  MIN(IIF(dur < 0, {trace_end}, ts + dur), {end}) - MAX(ts, {begin}) AS dur
FROM reclaim_direct
WHERE utid IN ({utids}) AND ts < {end} AND (dur < 0 OR ts + dur > {begin});

CREATE PERFETTO VIEW reclaim_cpu AS
SELECT utid, ts, IIF(dur < 0, {trace_end} - ts, dur) AS dur
FROM sched
WHERE utid IN ({utids}) AND ts < {end} AND (dur < 0 OR ts + dur > {begin});

CREATE VIRTUAL TABLE reclaim_and_cpu
USING SPAN_JOIN(reclaim_span PARTITIONED utid, reclaim_cpu PARTITIONED utid);

SELECT COALESCE(SUM(dur), 0) AS ns FROM reclaim_and_cpu
