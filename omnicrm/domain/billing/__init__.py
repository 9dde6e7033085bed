"""Money owed and paid: transactions (invoices and payments come on top)."""
