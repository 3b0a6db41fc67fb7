-- One batch of a state that is read whole.
INSERT INTO loaded
SELECT
    window_start,
    window_end,
    total_revenue,
    NULL AS orders,
    FALSE AS is_doubled
FROM batch;
