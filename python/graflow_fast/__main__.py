"""``python -m graflow_fast``: the same as the command ``graflow-fast``."""

import sys

from graflow_fast._commands.main import main

if __name__ == "__main__":
    sys.exit(main())
