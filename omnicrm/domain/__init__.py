"""What OmniCRM does, free of web, queue and outside systems."""
