-- name:    completed-orders-retention
-- makes:   completed_orders kept for ever, as payments is; else a rebuild reads seven days alone
-- params:  none
-- grain:   none, it alters a table
-- columns: none
-- reads:   none
-- the linter does not know ALTER TABLE … SET; Flink itself checks it
-- noqa: disable=PRS
ALTER TABLE completed_orders SET ('kafka.retention.time' = '0 ms');
