-- Pages swapped out between two samples of pswpout in which none of the given threads ran and no
-- direct reclaim was in progress. A thread stays on a CPU for less than a second at a time, so an
-- interval that reaches into such a span starts at most that long before it.
WITH samples AS (
  SELECT
    c.ts,
    LEAD(c.ts) OVER (ORDER BY c.ts) AS until,
    LEAD(c.value) OVER (ORDER BY c.ts) - c.value AS pages
  FROM counter AS c
  JOIN track AS t ON c.track_id = t.id
  WHERE
    t.type = '{counter_type}' AND t.name = '{counter_name}'
    AND c.ts BETWEEN {begin} AND {end}
)
SELECT
  CAST(
    SUM(
      IIF(
        EXISTS (
          SELECT 1 FROM sched AS r
          WHERE
            r.ts < samples.until AND r.ts > samples.ts - 1000000000
            AND (r.dur < 0 OR r.ts + r.dur > samples.ts) AND r.utid IN ({utids})
        )
        OR EXISTS (
          SELECT 1 FROM slice AS d
          WHERE
            d.name = 'mm_vmscan_direct_reclaim' AND d.ts < samples.until
            AND (d.dur < 0 OR d.ts + d.dur > samples.ts)
        ),
        0,
        pages
      )
    ) AS INT
  ) AS unseen,
  CAST(SUM(pages) AS INT) AS swapped
FROM samples
WHERE pages > 0
