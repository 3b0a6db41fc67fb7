-- An empty table for a state that is read whole, with the types of its first batch.
CREATE OR REPLACE TABLE loaded AS
SELECT
    window_start,
    window_end,
    total_revenue,
    CAST(NULL AS BIGINT) AS orders,
    FALSE AS is_doubled
FROM batch
LIMIT 0;
