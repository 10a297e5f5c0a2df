"""`python -m mertk NAME` is `mertk NAME`."""

from mertk.command import main

if __name__ == "__main__":
    raise SystemExit(main())
