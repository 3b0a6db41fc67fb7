-- name:    revenue_buckets
-- makes:   revenue and orders that were paid on time, in stretches of time that cross no quarter hour of UTC
-- params:  none of its own
-- grain:   one row per window
-- columns: bucket_start TIMESTAMP in UTC; bucket_second BIGINT, the same in seconds since 1970; windows BIGINT, of the
--          table; revenue DECIMAL; orders BIGINT, NULL where they are not known; uncounted BIGINT, windows of which
--          they are not; faults BIGINT, windows that make sums wrong
-- reads:   windows, on_time_orders
SELECT
    summed.window_start AS bucket_start,
    DATE_DIFF('second', TIMESTAMP '1970-01-01 00:00:00', summed.window_start) AS bucket_second,
    1 AS windows,
    summed.total_revenue AS revenue,
    counted.orders,
    CASE WHEN counted.orders IS NULL THEN 1 ELSE 0 END AS uncounted,
    CASE
        WHEN
            summed.total_revenue IS NULL
            OR summed.window_start < MAX(summed.window_end) OVER (
                ORDER BY summed.window_start, summed.window_end
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
            THEN 1
        ELSE 0
    END AS faults
FROM windows AS summed
LEFT JOIN on_time_orders AS counted ON summed.window_start = counted.window_start;
