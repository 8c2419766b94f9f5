"""Sharing: who may do what in a mailbox that is not theirs."""
