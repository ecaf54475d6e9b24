"""`python -m telegen` is the command `telegen`."""

import sys

from telegen.cli.main import main

sys.exit(main())
