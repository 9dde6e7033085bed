"""Provisioning: from an order to a running play, its events, and the undoing of what failed."""
