-- A verdict that was as the one before it.
DELETE FROM verdicts
WHERE at_ms = $at_ms AND NOT is_change;
