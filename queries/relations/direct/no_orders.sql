-- name:    no_orders
-- makes:   what stands for dated_orders or on_time_orders where there is no table of completed orders: none
-- params:  none
-- grain:   no row
-- columns: window_start TIMESTAMP in UTC; orders BIGINT; amount DECIMAL(18, 2); $$partition INTEGER; $$offset BIGINT
-- reads:   none
SELECT
    CAST(NULL AS TIMESTAMP(6)) AS window_start,
    CAST(NULL AS BIGINT) AS orders,
    CAST(NULL AS DECIMAL(18, 2)) AS amount,
    CAST(NULL AS INTEGER) AS "$$partition",
    CAST(NULL AS BIGINT) AS "$$offset"
WHERE 1 = 0;
