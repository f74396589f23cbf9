"""Begin where the host's Python is given the folder's name."""

import sys

from runner.canary.hostile.verbs import main

sys.exit(main())
