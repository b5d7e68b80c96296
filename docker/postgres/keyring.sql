-- The data keys live apart from what they open, so that the two can be backed up apart.
CREATE DATABASE sluicegate_keyring;
