"""`python -m models_ml`: the core's arithmetic on a dataset folder, without Django."""

import sys

from models_ml.command_line.main import main

if __name__ == "__main__":
    sys.exit(main())
