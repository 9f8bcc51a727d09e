-- Roles of kernel threads in reclaim, by name.
-- Made by `python -m analysis reference roles` from foundation/contract/threads.py.

-- Role of a thread by its comm: reclaim (kswapd), compression (kcompressd and its ports),
-- vendor_reclaim, writeback, or NULL.
CREATE PERFETTO FUNCTION reclaim_role_of(
  -- Name of the thread, truncated to 15 characters by the kernel.
  comm STRING
)
-- The role, or NULL for a thread without one.
RETURNS STRING
AS
SELECT
  CASE
    WHEN $comm REGEXP '^kswapd[0-9]+(:[0-9]+)?$' THEN 'reclaim'
    WHEN $comm REGEXP '^(kcompressd:?[0-9]+|akcompressd:[0-9]+|zram_comp)$' THEN 'compression'
    WHEN $comm REGEXP '^(hybridswapd:?[0-9]*|zswapd[0-9]+|kshrinkd.*|mi_reclaim|rtmm_(reclaim|pool))$' THEN 'vendor_reclaim'
    WHEN $comm REGEXP '^(zram[0-9]+_(wbd|prefetchd)|zram_wb_flush)$' THEN 'writeback'
    ELSE NULL
  END;
