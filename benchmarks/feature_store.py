"""How fast three containers give back 180 x 768 float32 matrices, read at random from the page cache.

Every read ends in a new array, so that each byte is really touched. Records of .npy are read again and again by one
store, which has compared their checksums the first time, and once by each of many stores, with and without checksums.
Rates are of processor time. Prints one JSON object.
"""

from __future__ import annotations

import json
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mertk.cli import make_parser, program

SHAPE = (180, 768)


def write_records(directory: Path, matrices: dict) -> None:
    """Records of .npy in a part file: the container of `mertk.data.feature_store`."""
    from mertk.data.feature_store import FeatureRecord, FeatureWriter, merge_parts

    record = FeatureRecord("video", "benchmark", "none", "none", "none", 30.0, SHAPE[1])
    with FeatureWriter(directory, record) as writer:
        for name, matrix in matrices.items():
            writer.write(name, matrix)
    merge_parts(directory, matrices)


def write_npy(directory: Path, matrices: dict) -> Callable:
    """Records of .npy, each compared with its checksum when it was first read."""
    import numpy as np

    from mertk.data.feature_store import FeatureStore

    write_records(directory, matrices)
    store = FeatureStore(directory)
    return lambda name: np.array(store.read(name))


def write_npy_read_first(directory: Path, matrices: dict) -> Callable:
    """The same, by a store that is opened anew whenever it has read every record once."""
    write_records(directory, matrices)
    return _read_once(directory, len(matrices))


def write_npy_without_checksums(directory: Path, matrices: dict) -> Callable:
    """As `write_npy_read_first`, from a directory as it was before there were checksums."""
    import dataclasses

    from mertk.data.feature_store import read_record

    write_records(directory, matrices)
    dataclasses.replace(read_record(directory), format=1).write(directory)
    return _read_once(directory, len(matrices))


def _read_once(directory: Path, count: int) -> Callable:
    import numpy as np

    from mertk.data.feature_store import FeatureStore

    store, left = FeatureStore(directory), count

    def read(name: str) -> np.ndarray:
        nonlocal store, left
        if not left:
            store, left = FeatureStore(directory), count
        left -= 1
        return np.array(store.read(name))

    return read


def write_kaldi(directory: Path, matrices: dict) -> Callable:
    """Kaldi's binary float matrices in one archive, memory-mapped, with an index held in memory."""
    import mmap

    import numpy as np

    directory.mkdir()
    offsets = {}
    with (directory / "features.ark").open("wb") as file:
        for name, matrix in matrices.items():
            file.write(name.encode() + b" ")
            offsets[name] = file.tell()
            file.write(b"\0BFM " + struct.pack("<bibi", 4, matrix.shape[0], 4, matrix.shape[1]) + matrix.tobytes())
    with (directory / "features.ark").open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def read(name: str) -> np.ndarray:
        offset = offsets[name]
        _, rows, _, columns = struct.unpack_from("<bibi", data, offset + 5)
        return np.array(np.frombuffer(data, np.dtype("<f4"), rows * columns, offset + 15).reshape(rows, columns))

    return read


def write_safetensors(directory: Path, matrices: dict) -> Callable:
    """One safetensors file, memory-mapped by its library, which returns a new array already."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    directory.mkdir()
    path = directory / "features.safetensors"
    save_file(matrices, path)
    return safe_open(path, framework="numpy").get_tensor


def read_rate(read: Callable, names: list[str], seconds: float) -> float:
    """GB/s over reads in the order of `names`, again and again for about `seconds`; the best of three turns."""
    best = 0.0
    for _ in range(3):
        num_bytes, start = 0, time.process_time()
        while time.process_time() - start < seconds / 3:
            for name in names:
                num_bytes += read(name).nbytes
        best = max(best, num_bytes / (time.process_time() - start))
    return best / 1e9


CONTAINERS = {
    "npy_records": write_npy,
    "npy_records_read_first": write_npy_read_first,
    "npy_records_without_checksums": write_npy_without_checksums,
    "kaldi_ark": write_kaldi,
    "safetensors": write_safetensors,
}


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, "python -m benchmarks.feature_store --out /tmp/feature_store.json")
    parser.add_argument("--count", type=int, default=600, help="matrices in the container")
    parser.add_argument("--seconds", type=float, default=3.0, help="of reading, per container")
    parser.add_argument("--out", type=Path, help="also write the JSON here")
    arguments = parser.parse_args(argv)

    import numpy as np

    from mertk.atomic import write_text

    generator = np.random.default_rng(0)
    matrices = {f"utterance_{n:05d}": generator.random(SHAPE, dtype=np.float32) for n in range(arguments.count)}
    names = [str(name) for name in generator.permutation(list(matrices))]
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, write in CONTAINERS.items():
            read = write(Path(folder) / name, matrices)
            assert all(np.array_equal(read(key), matrices[key]) for key in names), name  # also warms the page cache
            rates[name] = read_rate(read, names, arguments.seconds)
    report = {
        "shape": SHAPE,
        "dtype": "float32",
        "count": arguments.count,
        "gigabytes_per_second": {name: round(rate, 2) for name, rate in rates.items()},
        "copy_from_memory_gigabytes_per_second": round(
            read_rate(lambda name: matrices[name].copy(), names, arguments.seconds), 2
        ),
        "first_reading_over_reading_without_checksums": round(
            rates["npy_records_read_first"] / rates["npy_records_without_checksums"], 2
        ),
        "target_gigabytes_per_second": 1.0,
        "target_met": rates["npy_records"] > 1.0,
    }
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.out:
        write_text(arguments.out, text + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
