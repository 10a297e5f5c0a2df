"""Programs, each run as `python -m mertk.bin.NAME`."""
