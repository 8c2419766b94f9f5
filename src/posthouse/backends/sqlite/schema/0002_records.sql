-- Step 2: appointments, tasks and contacts are found by their uid; mail has none and pays nothing.

CREATE INDEX item_ical ON item (mailbox_id, ical_uid) WHERE ical_uid <> '';
