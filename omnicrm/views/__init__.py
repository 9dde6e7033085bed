"""Pages and JSON routes: they turn requests into use cases and results into answers."""
