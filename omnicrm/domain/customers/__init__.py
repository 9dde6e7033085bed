"""Customers and what hangs on them: contacts, sites, tags, attributes."""
