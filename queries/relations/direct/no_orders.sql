-- name:    no_orders
-- makes:   what stands for dated_orders where there is no table of completed orders
-- params:  none
-- grain:   no row
-- columns: window_start TIMESTAMP in UTC; amount DECIMAL(18, 2); $$partition INTEGER and $$offset BIGINT
-- reads:   none
SELECT
    CAST(NULL AS TIMESTAMP) AS window_start,
    CAST(NULL AS DECIMAL(18, 2)) AS amount,
    CAST(NULL AS INTEGER) AS "$$partition",
    CAST(NULL AS BIGINT) AS "$$offset"
WHERE 1 = 0;
