-- name:    dated_orders
-- makes:   the completed orders of a stretch of time, each with the window that it was paid in
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive; $window_seconds INTEGER
-- grain:   one row per completed order; of the window that the stretch begins in only those of the stretch
-- columns: window_start TIMESTAMP in UTC; amount DECIMAL(18, 2); $$partition INTEGER and $$offset BIGINT, its place in
--          the topic
-- reads:   completed_orders
SELECT
    DATE_TRUNC('second', CAST(ts AS TIMESTAMP(6)))
    - MOD(
        DATE_DIFF('second', TIMESTAMP '1970-01-01 00:00:00', CAST(ts AS TIMESTAMP(6))), $window_seconds
    ) * INTERVAL '1' SECOND AS window_start,
    -- as the pipeline rounds: half up, by the decimal text of the double; DuckDB 1.5 reads 9e-05 as 0.01
    CASE
        WHEN ABS(amount) < 0.001 THEN CAST(0 AS DECIMAL(18, 2))
        ELSE TRY_CAST(CAST(amount AS VARCHAR) AS DECIMAL(18, 2))
    END AS amount,
    "$$partition",
    "$$offset"
FROM completed_orders /* at */
WHERE
    ts >= $start
    -- the last window may end after the range
    AND ts < $end + $window_seconds * INTERVAL '1' SECOND;
