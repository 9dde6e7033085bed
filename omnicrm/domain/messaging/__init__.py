"""Mails that the product sends itself: what it asks of the provider and of the templates."""
