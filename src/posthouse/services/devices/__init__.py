"""Phones: who may synchronise, under which policy, and what a lost one is told."""
