-- One row per (text, references, metadata, rule set); the guid is derived from the four, ids are never used again.
CREATE TABLE IF NOT EXISTS schemas (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    guid TEXT NOT NULL UNIQUE,
    text TEXT NOT NULL,
    refs TEXT NOT NULL,
    metadata TEXT,
    rule_set TEXT
);

CREATE TABLE IF NOT EXISTS versions (
    subject TEXT NOT NULL,
    version INTEGER NOT NULL,
    schema_id INTEGER NOT NULL REFERENCES schemas (id),
    deleted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, version)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS versions_by_schema ON versions (schema_id);

-- The empty subject stands for the whole registry; NULL means not set.
CREATE TABLE IF NOT EXISTS settings (
    subject TEXT PRIMARY KEY,
    compatibility TEXT,
    mode TEXT
) WITHOUT ROWID;

CREATE VIEW IF NOT EXISTS registered AS
SELECT
    v.subject, v.version, s.id, s.guid, s.text, s.refs, s.metadata, s.rule_set, v.deleted
FROM versions AS v INNER JOIN schemas AS s ON v.schema_id = s.id;

-- A key in some KMS; what it encrypts are the keys below.
CREATE TABLE IF NOT EXISTS keks (
    name TEXT PRIMARY KEY,
    kms_type TEXT NOT NULL,
    kms_key_id TEXT NOT NULL,
    kms_props TEXT NOT NULL,
    doc TEXT,
    ts_ms INTEGER NOT NULL,
    deleted INTEGER NOT NULL
) WITHOUT ROWID;

-- The keys that encrypt fields. The material is as the client sent it: encrypted by the kek, which no registry knows.
CREATE TABLE IF NOT EXISTS deks (
    kek TEXT NOT NULL REFERENCES keks (name),
    subject TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    version INTEGER NOT NULL,
    encrypted_material TEXT NOT NULL,
    ts_ms INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    PRIMARY KEY (kek, subject, algorithm, version)
) WITHOUT ROWID;
