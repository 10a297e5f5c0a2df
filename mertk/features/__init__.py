"""What makes features, of the utterances of a corpus and of a recording: one class an extractor.

`extractor` is the contract, `modalities` what a class of one's own inherits from, `registry` the classes by name;
`source` makes what a model takes of a recording. The extraction of a corpus, on any number of processes, is
`corpus_extraction` with `audio_extraction`, `video_extraction` and `text_extraction`.
"""

from mertk.features.modalities import FACES, AudioExtractor, TextExtractor, VideoExtractor
from mertk.features.source import Places, Source, longest_seconds, open_source

__all__ = [
    "FACES",
    "AudioExtractor",
    "Places",
    "Source",
    "TextExtractor",
    "VideoExtractor",
    "longest_seconds",
    "open_source",
]
