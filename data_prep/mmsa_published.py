"""What is known of the published feature files of CMU-MOSI, CMU-MOSEI, CH-SIMS and CH-SIMS v2."""

from __future__ import annotations

from dataclasses import dataclass

#: digest, SHA-1 of the first release or SHA-256 of the newer one, to the name of the file
KNOWN_FILES = {
    "5da0b8440fc5a7c3a457859af27458beb993e088": "MOSI/unaligned_50",
    "5c62b896619a334a7104c8bef05d82b05272c71c": "MOSI/aligned_50",
    "db3e2cff4d706a88ee156981c2100975513d4610": "MOSEI/unaligned_50",
    "ef49589349bc1c2bc252ccc0d4657a755c92a056": "MOSEI/aligned_50",
    "a00c73e92f66896403c09dbad63e242d5af756f8": "SIMS/unaligned_39",
    "78e0f8b5ef8ff71558e7307848fc1fa929ecb078203f565ab22b9daab2e02524": "MOSI/unaligned_50",
    "d3994fd25681f9c7ad6e9c6596a6fe9b4beb85ff7d478ba978b124139002e5f9": "MOSI/aligned_50",
    "ad8b23d50557045e7d47959ce6c5b955d8d983f2979c7d9b7b9226f6dd6fec1f": "MOSEI/unaligned_50",
    "45eccfb748a87c80ecab9bfac29582e7b1466bf6605ff29d3b338a75120bf791": "MOSEI/aligned_50",
    "c9e20c13ec0454d98bb9c1e520e490c75146bfa2dfeeea78d84de047dbdd442f": "SIMS/unaligned_39",
}


@dataclass(frozen=True)
class Corpus:
    """One corpus as published.

    Attributes:
        metrics: name of its set of metrics; decides the scale of its labels too.
        counts: utterances by part.
        dimensions: widths of the features by modality.
    """

    metrics: str
    counts: dict[str, int]
    dimensions: dict[str, int]


CORPORA = {
    "mosi": Corpus("mosi", {"train": 1284, "validation": 229, "test": 686}, {"audio": 5, "video": 20, "text": 768}),
    "mosei": Corpus(
        "mosi", {"train": 16326, "validation": 1871, "test": 4659}, {"audio": 74, "video": 35, "text": 768}
    ),
    "sims": Corpus("sims", {"train": 1368, "validation": 456, "test": 457}, {"audio": 33, "video": 709, "text": 768}),
    # No checksum of its file is known.
    "sims2": Corpus("sims", {"train": 2722, "validation": 647, "test": 1034}, {"audio": 25, "video": 177, "text": 768}),
}


def recognise(corpus: str, sha1: str, sha256: str) -> tuple[str | None, str]:
    """Name of a published file by its digests, None for any other, and a sentence that says so."""
    for kind, digest in (("SHA-1", sha1), ("SHA-256", sha256)):
        name = KNOWN_FILES.get(digest)
        if name is not None:
            return name, f"this is {name} as published, {kind} {digest}"
    if not any(name.split("/")[0].lower() == corpus for name in KNOWN_FILES.values()):
        return None, f"no checksum of a published file of {corpus} is known to hold this one against (SHA-256 {sha256})"
    return None, f"none of the published files of {corpus} has this checksum (SHA-1 {sha1}, SHA-256 {sha256})"


def differences(corpus: str, counts: dict[str, int], dimensions: dict[str, int]) -> list[str]:
    """In what a file differs from the published ones of its corpus, one sentence a difference."""
    known = CORPORA[corpus]
    found = [
        f"{counts[part]} utterances in the {part} part, the published files of {corpus} have {count}"
        for part, count in known.counts.items()
        if counts[part] != count
    ]
    return found + [
        f"{modality} features are {dimensions[modality]} wide, those of the published files of {corpus} {width}"
        for modality, width in known.dimensions.items()
        if dimensions[modality] != width
    ]
