"""What `mertk plot` was called before, for scripts that call it so."""

from __future__ import annotations

from mertk.bin.plot import main

if __name__ == "__main__":
    raise SystemExit(main())
