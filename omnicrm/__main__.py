"""`python -m omnicrm` is the command line."""

import sys

from omnicrm.cli import main

sys.exit(main())
