-- A verdict that is no longer the worst of its minute.
UPDATE verdicts SET minute = NULL
WHERE at_ms = $at_ms;
