"""Begin where the machine's Python is given the folder's name."""

import sys

from localcloud.machines.units.verbs import main

sys.exit(main(sys.argv[1:]))
