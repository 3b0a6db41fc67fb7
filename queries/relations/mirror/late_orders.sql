-- name:    late_orders
-- makes:   the orders that came after their window had closed, which its revenue does not hold
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive
-- grain:   one row per window with late orders
-- columns: window_start TIMESTAMP in UTC; late_orders BIGINT; late_revenue DECIMAL(38, 2)
-- reads:   none
SELECT
    window_start,
    orders AS late_orders,
    CAST(CAST(cents AS DECIMAL(36, 0)) * CAST(0.01 AS DECIMAL(2, 2)) AS DECIMAL(38, 2)) AS late_revenue
FROM late_windows
WHERE
    window_start >= $start
    AND window_start < $end;
