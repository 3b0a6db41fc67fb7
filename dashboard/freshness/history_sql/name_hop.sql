-- A hop by its name; its title may be another than it was.
INSERT INTO hops (name, stage, title)
VALUES ($name, $stage, $title)
ON CONFLICT (name) DO UPDATE SET stage = excluded.stage, title = excluded.title
RETURNING id;
