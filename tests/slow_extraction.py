"""The extraction of video features with a slow disk, for tests that kill it while it writes.

Run as a program, it is `data_prep.extract_video` that writes little at a time, pauses in between, and commits every
utterance.
"""

from __future__ import annotations

import time

#: bytes between two pauses, in a file of matrices and in an index
MATRIX_BLOCK, INDEX_BLOCK = 512, 8
PAUSE_SECONDS = 0.004


def make_disk_slow() -> None:
    """Patch the feature writer of this process."""
    from mertk.data import feature_writer

    write_all = feature_writer._write_all

    def write_slowly(file, data):
        view = memoryview(data)
        block = INDEX_BLOCK if str(file.name).endswith(".index") else MATRIX_BLOCK
        for start in range(0, len(view), block):
            write_all(file, view[start : start + block])
            time.sleep(PAUSE_SECONDS)

    feature_writer._write_all = write_slowly
    feature_writer.COMMIT_SECONDS = 0.0


if __name__ == "__main__":
    from mertk.data_prep import extract_video

    make_disk_slow()
    raise SystemExit(extract_video.main())
