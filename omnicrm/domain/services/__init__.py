"""Services: products in use by a customer."""
