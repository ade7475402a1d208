"""`python -m pipeline.cli`: the same command without the console script."""

from pipeline.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
