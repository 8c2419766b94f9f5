"""The directory's tables, step by step; a step is never edited after its release.

Notes:
    ``PRAGMA user_version`` says how many steps a file has taken.
"""

STEPS = (
    """
    CREATE TABLE state (
      only INTEGER PRIMARY KEY CHECK (only = 1),
      version INTEGER NOT NULL
    );
    INSERT INTO state VALUES (1, 1);

    CREATE TABLE installation_secret (
      name TEXT PRIMARY KEY,
      secret BLOB NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE domain (
      position INTEGER PRIMARY KEY AUTOINCREMENT,
      domain TEXT NOT NULL UNIQUE,
      catch_all TEXT NOT NULL
    );

    -- Numbers are never used again: views and grants in the store go by them.
    CREATE TABLE principal (
      principal_id INTEGER PRIMARY KEY AUTOINCREMENT,
      kind INTEGER NOT NULL,
      address TEXT NOT NULL UNIQUE,
      name TEXT NOT NULL,
      mailbox_id INTEGER NOT NULL,
      is_disabled INTEGER NOT NULL DEFAULT 0,
      forward_to TEXT NOT NULL DEFAULT '[]',
      keeps_copy INTEGER NOT NULL DEFAULT 1,
      version INTEGER NOT NULL DEFAULT 1,
      scram_salt BLOB NOT NULL,
      scram_iterations INTEGER NOT NULL,
      last_device_id INTEGER NOT NULL DEFAULT 0
    );

    -- Primary addresses and aliases in one table, so that no name is given twice.
    CREATE TABLE address (
      address TEXT PRIMARY KEY,
      principal_id INTEGER NOT NULL REFERENCES principal ON DELETE CASCADE,
      is_primary INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX address_by_principal ON address (principal_id);

    CREATE TABLE member (
      group_id INTEGER NOT NULL REFERENCES principal ON DELETE CASCADE,
      position INTEGER NOT NULL,
      member TEXT NOT NULL,
      PRIMARY KEY (group_id, position)
    ) WITHOUT ROWID;
    CREATE INDEX member_by_address ON member (member);

    -- device_id 0 is the person's own password.
    CREATE TABLE secret (
      principal_id INTEGER NOT NULL REFERENCES principal ON DELETE CASCADE,
      device_id INTEGER NOT NULL,
      label TEXT NOT NULL,
      password_hash TEXT NOT NULL,
      stored_key BLOB NOT NULL,
      server_key BLOB NOT NULL,
      scope TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      last_used_at INTEGER NOT NULL DEFAULT 0,
      last_used_for TEXT NOT NULL DEFAULT '',
      PRIMARY KEY (principal_id, device_id)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX secret_by_label ON secret (principal_id, label);
    """,
    """
    CREATE INDEX principal_by_mailbox ON principal (mailbox_id);

    -- What the address book tells of somebody, as JSON: it grows by fields that nobody asks for.
    CREATE TABLE principal_detail (
      principal_id INTEGER PRIMARY KEY REFERENCES principal ON DELETE CASCADE,
      details TEXT NOT NULL
    );

    CREATE TABLE photo (
      principal_id INTEGER PRIMARY KEY REFERENCES principal ON DELETE CASCADE,
      media_type TEXT NOT NULL,
      data BLOB NOT NULL,
      changed_at INTEGER NOT NULL
    );

    -- Who may use whose addresses; rights as in model/rights.py.
    CREATE TABLE send_grant (
      principal_id INTEGER NOT NULL REFERENCES principal ON DELETE CASCADE,
      grantee_id INTEGER NOT NULL REFERENCES principal ON DELETE CASCADE,
      rights INTEGER NOT NULL,
      PRIMARY KEY (principal_id, grantee_id)
    ) WITHOUT ROWID;
    CREATE INDEX send_grant_by_grantee ON send_grant (grantee_id);

    -- Phones. Columns are the fields of model/partnership.py.
    CREATE TABLE partnership (
      device_number INTEGER PRIMARY KEY AUTOINCREMENT,
      principal_id INTEGER NOT NULL REFERENCES principal ON DELETE CASCADE,
      eas_id TEXT NOT NULL,
      revision INTEGER NOT NULL,
      first_seen_at INTEGER NOT NULL,
      last_seen_at INTEGER NOT NULL,
      last_host TEXT NOT NULL,
      device_type TEXT NOT NULL,
      user_agent TEXT NOT NULL,
      version INTEGER NOT NULL,
      password_device_id INTEGER NOT NULL,
      model TEXT NOT NULL,
      os TEXT NOT NULL,
      os_language TEXT NOT NULL,
      friendly_name TEXT NOT NULL,
      imei TEXT NOT NULL,
      phone_number TEXT NOT NULL,
      mobile_operator TEXT NOT NULL,
      access INTEGER NOT NULL,
      policy_key INTEGER NOT NULL,
      policy_version TEXT NOT NULL,
      pending_policy_key INTEGER NOT NULL,
      pending_policy_version TEXT NOT NULL,
      wipe INTEGER NOT NULL,
      wipes_device INTEGER NOT NULL,
      wipe_at INTEGER NOT NULL,
      UNIQUE (principal_id, eas_id)
    );
    -- Numbers of phones lie above those of device passwords: both name who keeps a state.
    INSERT INTO sqlite_sequence VALUES ('partnership', 4294967296);
    """,
)
