-- Records: mailboxes, folders, items, blobs, the outbound queue. Step 1.
--
-- Every key begins with the mailbox, so what belongs together lies together. `place` is narrow and hot (uids, marks),
-- `item` is wide and cold. An item lies in exactly one place, which its row names; item_id is unique in the file and
-- grows, so that deliveries to many mailboxes fill the same page instead of splitting one page each.
-- `mod_cn` is the greater of changed_cn and read_cn: the position of a place in the change log.

CREATE TABLE mailbox (
  mailbox_id INTEGER PRIMARY KEY AUTOINCREMENT,
  guid BLOB NOT NULL,
  kind INTEGER NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 1,
  highest_cn INTEGER NOT NULL DEFAULT 0,
  item_count INTEGER NOT NULL DEFAULT 0,
  size_bytes INTEGER NOT NULL DEFAULT 0,
  recoverable_bytes INTEGER NOT NULL DEFAULT 0,
  quota_bytes INTEGER NOT NULL DEFAULT 0,
  recoverable_id INTEGER NOT NULL DEFAULT 0,
  horizon_cn INTEGER NOT NULL DEFAULT 0,
  is_leaving INTEGER NOT NULL DEFAULT 0
);
-- mailbox 0 is the house itself: its highest_cn is the last item_id given
INSERT INTO mailbox (mailbox_id, guid, kind) VALUES (0, X'', 0);
CREATE INDEX mailbox_leaving ON mailbox (mailbox_id) WHERE is_leaving <> 0;

CREATE TABLE mailbox_policy (
  mailbox_id INTEGER PRIMARY KEY,
  settings TEXT NOT NULL DEFAULT '{}',
  rules TEXT NOT NULL DEFAULT ''
);

CREATE TABLE folder (
  mailbox_id INTEGER NOT NULL,
  folder_id INTEGER NOT NULL,
  parent_id INTEGER NOT NULL,
  role INTEGER NOT NULL,
  uid_validity INTEGER NOT NULL,
  uid_next INTEGER NOT NULL DEFAULT 1,
  changed_cn INTEGER NOT NULL,
  highest_cn INTEGER NOT NULL,
  horizon_cn INTEGER NOT NULL DEFAULT 0,
  item_count INTEGER NOT NULL DEFAULT 0,
  unread_count INTEGER NOT NULL DEFAULT 0,
  size_bytes INTEGER NOT NULL DEFAULT 0,
  folder_class TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  bag BLOB NOT NULL,
  PRIMARY KEY (mailbox_id, folder_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX folder_name ON folder (mailbox_id, parent_id, name_key);
CREATE UNIQUE INDEX folder_role ON folder (mailbox_id, role) WHERE role <> 0;

CREATE TABLE folder_tombstone (
  mailbox_id INTEGER NOT NULL,
  cn INTEGER NOT NULL,
  folder_id INTEGER NOT NULL,
  made_at INTEGER NOT NULL,
  PRIMARY KEY (mailbox_id, cn)
) WITHOUT ROWID;
CREATE INDEX folder_tombstone_age ON folder_tombstone (made_at);

CREATE TABLE item (
  item_id INTEGER PRIMARY KEY,
  mailbox_id INTEGER NOT NULL,
  folder_id INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  changed_cn INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  blob_hash BLOB,
  prefix BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  message_key INTEGER NOT NULL,
  sent_at INTEGER NOT NULL,
  message_id TEXT NOT NULL,
  subject TEXT NOT NULL,
  sender TEXT NOT NULL,
  recipients TEXT NOT NULL,
  thread INTEGER NOT NULL,
  item_class TEXT NOT NULL,
  importance INTEGER NOT NULL,
  has_attachments INTEGER NOT NULL,
  start_at INTEGER NOT NULL,
  end_at INTEGER NOT NULL,
  ical_uid TEXT NOT NULL,
  name TEXT NOT NULL,
  bag BLOB NOT NULL,
  uidl TEXT NOT NULL
);
CREATE INDEX item_message ON item (mailbox_id, message_key) WHERE message_key <> 0;
CREATE INDEX item_name ON item (mailbox_id, folder_id, name) WHERE name <> '';
CREATE INDEX item_uidl ON item (mailbox_id, item_id) WHERE uidl <> '';

CREATE TABLE item_card (
  item_id INTEGER PRIMARY KEY,
  card BLOB NOT NULL
);

CREATE TABLE place (
  mailbox_id INTEGER NOT NULL,
  folder_id INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  item_id INTEGER NOT NULL,
  created_cn INTEGER NOT NULL,
  changed_cn INTEGER NOT NULL,
  read_cn INTEGER NOT NULL,
  mod_cn INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (mailbox_id, folder_id, uid)
) WITHOUT ROWID;
-- The unchanged ones need no such index: in a folder, created_cn grows with uid.
CREATE INDEX place_mod ON place (mailbox_id, folder_id, mod_cn) WHERE mod_cn > created_cn;

CREATE TABLE tombstone (
  mailbox_id INTEGER NOT NULL,
  folder_id INTEGER NOT NULL,
  cn INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  item_id INTEGER NOT NULL,
  created_cn INTEGER NOT NULL,
  made_at INTEGER NOT NULL,
  PRIMARY KEY (mailbox_id, folder_id, cn)
) WITHOUT ROWID;
CREATE INDEX tombstone_age ON tombstone (made_at);

CREATE TABLE recoverable (
  item_id INTEGER PRIMARY KEY,
  deleted_at INTEGER NOT NULL,
  origin_id INTEGER NOT NULL
);
CREATE INDEX recoverable_age ON recoverable (deleted_at);

-- shape: 1 has dot lines, 2 lacks the final end of line
CREATE TABLE blob (
  blob_hash BLOB PRIMARY KEY,
  form INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL,
  shape INTEGER NOT NULL,
  pack INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  refs INTEGER NOT NULL,
  dead_since INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX blob_dead ON blob (dead_since) WHERE dead_since <> 0;

CREATE TABLE hidden (
  mailbox_id INTEGER NOT NULL,
  view_id INTEGER NOT NULL,
  item_id INTEGER NOT NULL,
  PRIMARY KEY (mailbox_id, view_id, item_id)
) WITHOUT ROWID;
CREATE INDEX hidden_item ON hidden (mailbox_id, item_id);

CREATE TABLE hidden_view (
  mailbox_id INTEGER NOT NULL,
  view_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (mailbox_id, view_id)
) WITHOUT ROWID;

CREATE TABLE folder_grant (
  mailbox_id INTEGER NOT NULL,
  folder_id INTEGER NOT NULL,
  principal_id INTEGER NOT NULL,
  rights INTEGER NOT NULL,
  PRIMARY KEY (mailbox_id, folder_id, principal_id)
) WITHOUT ROWID;
CREATE INDEX folder_grant_principal ON folder_grant (principal_id);

CREATE TABLE sync_state (
  mailbox_id INTEGER NOT NULL,
  device_id INTEGER NOT NULL,
  collection TEXT NOT NULL,
  sync_key INTEGER NOT NULL,
  state BLOB NOT NULL,
  PRIMARY KEY (mailbox_id, device_id, collection, sync_key)
) WITHOUT ROWID;

CREATE TABLE property_name (
  mailbox_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  guid TEXT NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (mailbox_id, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX property_name_name ON property_name (mailbox_id, guid, name);

CREATE TABLE idempotency (
  mailbox_id INTEGER NOT NULL,
  key BLOB NOT NULL,
  result TEXT NOT NULL,
  made_at INTEGER NOT NULL,
  PRIMARY KEY (mailbox_id, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (made_at);

-- no index by age: nearly every receipt is settled within seconds, so the table stays small
CREATE TABLE receipt (
  receipt BLOB PRIMARY KEY,
  made_at INTEGER NOT NULL
) WITHOUT ROWID;

-- shape: 1 headers only, 2 SMTPUTF8, 4 8BITMIME
CREATE TABLE queue (
  queue_id INTEGER PRIMARY KEY AUTOINCREMENT,
  sender TEXT NOT NULL,
  blob_hash BLOB NOT NULL,
  queued_at INTEGER NOT NULL,
  prefix BLOB NOT NULL,
  envelope_id TEXT NOT NULL,
  shape INTEGER NOT NULL,
  submitted_by TEXT NOT NULL,
  next_at INTEGER NOT NULL,
  leased_until INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX queue_due ON queue (next_at);

CREATE TABLE queue_recipient (
  queue_id INTEGER NOT NULL,
  position INTEGER NOT NULL,
  address TEXT NOT NULL,
  notify INTEGER NOT NULL,
  original TEXT NOT NULL,
  state INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  next_at INTEGER NOT NULL,
  last_reply TEXT NOT NULL,
  delay_told_at INTEGER NOT NULL,
  PRIMARY KEY (queue_id, position)
) WITHOUT ROWID;

-- incident: grows after a failed write, so that whatever half a commit left in the journal is overwritten
CREATE TABLE engine (
  engine_id INTEGER PRIMARY KEY,
  incident INTEGER NOT NULL
);
INSERT INTO engine (engine_id, incident) VALUES (1, 0);
