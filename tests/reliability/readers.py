"""Damage every file that comes from outside, and demand a message (`MertkError`) or the truth, in bounded time.

A sound sample of each kind is damaged again and again, as Hypothesis draws it (`tests.reliability.mutations`), and
read. No other exception may come of it, and no reading may take seconds or a gigabyte; of features with checksums
nothing else may be read than what was written. The counts go into a document.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from mertk.cli import make_parser, program
from tests.reliability.mutations import damaged
from tests.reliability.sample import Sample
from tests.reliability.samples import SAMPLES

EXAMPLE = "python -m tests.reliability.readers --examples 2000 --out docs/reliability.md"
#: processor time and further memory that one reading may take
MOST_SECONDS, MOST_BYTES = 5.0, 2**30


@dataclass
class Count:
    """What became of the damaged samples of one kind."""

    kind: str
    examples: int = 0
    refused: int = 0
    most_seconds: float = 0.0


def damage(kind: str, folder: Path, examples: int, start: int | None = None) -> Count:
    """Damage and read samples of one kind.

    Args:
        start: of the drawing; None draws the same samples each time.

    Raises:
        Exception: what a reading raised that is no message, with the smallest damage that makes it so.
    """
    sample, count = SAMPLES[kind](folder), Count(kind)
    sound = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert sample.expected(sample.read())
    _restore(folder, sound)

    @settings(
        max_examples=examples, derandomize=start is None, database=None, deadline=None,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def read(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(sample.files).map(lambda path: path.name), "file")
        path = next(path for path in sample.files if path.name == file)
        path.write_bytes(data.draw(damaged(sound[path]), "content"))
        begin = time.process_time()
        try:
            count.refused += _is_refused(sample)
        finally:
            _restore(folder, sound)
        seconds = time.process_time() - begin
        count.examples, count.most_seconds = count.examples + 1, max(count.most_seconds, seconds)
        assert seconds < MOST_SECONDS, f"took {seconds:.1f} s of processor time"

    with limited_memory():
        (read if start is None else seed(start)(read))()
    return count


def _is_refused(sample: Sample) -> bool:
    """Whether reading ends in a message; what is read without one must be true."""
    try:
        found = sample.read()
    except sample.errors:
        return True
    assert sample.expected(found), "something else was read than what was written"
    return False


def _restore(folder: Path, sound: dict[Path, bytes]) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path not in sound:
            path.unlink()
    for path, content in sound.items():
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)


@contextmanager
def limited_memory() -> Iterator[None]:
    """Let this process take MOST_BYTES more than it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("--examples", type=int, default=2000, metavar="N", help="damaged samples of each kind")
    parser.add_argument("--kinds", nargs="+", default=list(SAMPLES), choices=list(SAMPLES), metavar="KIND")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="document whose section is written, such as docs/reliability.md")
    arguments = parser.parse_args(argv)

    from tests.reliability.document import write_readers

    counts = []
    for kind in arguments.kinds:
        with tempfile.TemporaryDirectory(prefix="mertk_readers_") as folder:
            counts.append(damage(kind, Path(folder), arguments.examples, arguments.seed))
        print(f"{kind}: {counts[-1].examples} damaged, {counts[-1].refused} refused", flush=True)
    if arguments.out:
        write_readers(arguments.out, counts, arguments.examples, arguments.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
