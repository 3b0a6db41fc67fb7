-- name:    late_orders
-- makes:   the orders that came after their window had closed, which its revenue does not hold
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive; $window_seconds INTEGER
-- grain:   one row per window with late orders, as far as they are known; all orders of a window without a row are late
-- columns: window_start TIMESTAMP in UTC; late_orders BIGINT; late_revenue DECIMAL(38, 2)
-- reads:   windows, dated_orders, on_time_orders, closed_until
SELECT
    arrived.window_start,
    MAX(arrived.orders) - COALESCE(MAX(on_time.orders), 0) AS late_orders,
    CAST(MAX(arrived.revenue) - COALESCE(MAX(summed.total_revenue), 0) AS DECIMAL(38, 2)) AS late_revenue
FROM (
    SELECT
        window_start,
        COUNT(*) AS orders,
        COALESCE(SUM(amount), 0) AS revenue
    FROM dated_orders
    WHERE window_start >= $start AND window_start < $end
    GROUP BY window_start
) AS arrived
CROSS JOIN closed_until AS closed
LEFT JOIN windows AS summed ON arrived.window_start = summed.window_start
LEFT JOIN on_time_orders AS on_time ON arrived.window_start = on_time.window_start
GROUP BY arrived.window_start
HAVING
    -- of a window that has two rows nothing is known
    (COUNT(summed.window_start) = 1 AND MAX(arrived.orders) > MAX(on_time.orders))
    OR (COUNT(summed.window_start) = 0 AND arrived.window_start < MAX(closed.closed_until));
