"""Parsers of the programs: `mertk NAME` (`mertk.command`), also `python -m mertk.bin.NAME`."""
