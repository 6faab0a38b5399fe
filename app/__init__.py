"""Whimbrel: triggered messages, once, on time, never on stale facts, and always able to say why."""
