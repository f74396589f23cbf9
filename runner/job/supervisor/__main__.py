"""Begin where the host's Python is given the folder's name."""

import sys

from runner.job.supervisor.verbs import main

sys.exit(main())
