"""``python -m metablin``: the command line."""

from metablin.cli import main

if __name__ == "__main__":
    main()
