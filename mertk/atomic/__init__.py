"""Files and directories that are there whole or not at all, whatever ends the process that writes them.

    replacing               a file takes the place of the one before it; `write_text` for text
    replacing_directory     a directory takes the place of the one before it
    building                content comes into a directory, entry by entry, beside what others keep there

All write under a hidden name beside the place, flush to disk, then rename. A failure leaves what was there; a kill may
leave the hidden name too, which the next one to write that place tidies up.
"""

from mertk.atomic.directories import building, replacing_directory
from mertk.atomic.files import replacing, write_text

__all__ = ["building", "replacing", "replacing_directory", "write_text"]
