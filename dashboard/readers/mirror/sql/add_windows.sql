-- The windows that snapshots added.
INSERT INTO windows
SELECT
    window_start,
    window_end,
    total_revenue,
    NULL AS orders,
    FALSE AS is_doubled
FROM batch
ORDER BY window_start;
