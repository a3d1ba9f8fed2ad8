"""``python -m expnet``: the command line."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:  # -m puts the working directory first: a numpy.py beside the footage would run
        del sys.path[0]
    from .expnet_addon.headless import main

    sys.exit(main())
