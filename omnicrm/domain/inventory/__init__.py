"""Stock: templates, items, their states and the reservations of open orders."""
