"""`python -m telegen` is the command `telegen`."""

import sys

from telegen.cli import main

sys.exit(main())
