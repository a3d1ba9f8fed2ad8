"""``python -m expnet``: the command line."""

import sys

from .expnet_addon.headless import main

if __name__ == "__main__":
    sys.exit(main())
