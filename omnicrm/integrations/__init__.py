"""Adapters to outside systems, one per system; HTTP lives only here."""
