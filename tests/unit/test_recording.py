"""The border around a recording: what crosses it, as what, and with which words."""

from __future__ import annotations

import errno
import pickle

import pytest

from mertk.data.recording_error import MachineError, RecordingError, attempt, border
from mertk.data.recording_file import check_file
from mertk.errors import MertkError
from mertk.file_names import printable


class PanicException(BaseException):
    """What a library in Rust raises; it is no Exception."""


def raising(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("title"), "utterance u: a.avi: KeyError: 'title'"),
        (UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "bad"), "utterance u: a.avi: UnicodeDecodeError: "),
        (AttributeError("'NoneType' object\nhas no"), "utterance u: a.avi: AttributeError: 'NoneType' object has no"),
        (EOFError(), "utterance u: a.avi: EOFError"),
        (StopIteration(), "utterance u: a.avi: StopIteration"),
        (MemoryError("100 GB"), "utterance u: a.avi: MemoryError: 100 GB"),
        (OSError(errno.EIO, "Input/output error"), "utterance u: a.avi: OSError: "),
        (PermissionError(errno.EACCES, "Permission denied", "a.avi"), "utterance u: a.avi: PermissionError: "),
        (RuntimeError("mat1 and mat2 shapes"), "utterance u: a.avi: RuntimeError: mat1"),
        (PanicException("index out of range"), "utterance u: a.avi: PanicException: index out of range"),
    ],
)
def test_whatever_goes_wrong_is_told_of_the_recording_with_its_trace(error, message):
    failure = attempt(raising(error), "a.avi", "u")
    assert isinstance(failure, RecordingError) and str(failure).startswith(message)
    assert failure.reason == "failed" and "raise error" in failure.trace and failure.__cause__ is error
    assert pickle.loads(pickle.dumps(failure)).reason == "failed"


def test_what_was_foreseen_keeps_its_words_and_has_no_trace():
    foreseen = RecordingError("utterance u: a.avi is empty.", "unreadable_video")
    assert attempt(raising(foreseen), "a.avi", "u") is foreseen and foreseen.trace == ""
    failure = attempt(raising(MertkError("a text of 600 tokens.")), "text", "u")
    assert (str(failure), failure.reason, failure.trace) == ("utterance u: text: a text of 600 tokens.", "failed", "")
    assert str(attempt(raising(MertkError("utterance u: NaN.")), "text", "u")) == "utterance u: NaN."
    assert str(foreseen.of("v")) == "utterance v: utterance u: a.avi is empty."
    assert attempt(lambda: 7, "a.avi") == 7


def torch_errors():
    import torch

    yield torch.OutOfMemoryError("CUDA out of memory")
    yield RuntimeError("CUDA error: an illegal memory access was encountered")
    yield RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.ESTALE, "Stale file handle"),
        *torch_errors(),
    ],
)
def test_a_failure_of_the_machine_is_none_of_the_recording(error):
    with pytest.raises(MachineError, match=r"^utterance u: a\.avi: .*run again") as raised:
        attempt(raising(error), "a.avi", "u")
    assert raised.value.__cause__ is error and not isinstance(raised.value, RecordingError)


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_program_passes(ending):
    with pytest.raises(ending), border("a.avi", "u"):
        raise ending


def test_any_name_can_be_printed():
    assert printable("你好 é ab") == "你好 é ab"
    assert printable("a\udce9\t\n\x1b\x85\u2028b") == r"a\xe9\t\n\x1b\x85\u2028b"
    assert printable("a\n\x1b", keep="\n") == "a\n\\x1b"


@pytest.mark.parametrize(
    ("name", "message"),
    [("a" * 300, "cannot be opened (File name too long)"), ("a\0b", "cannot be opened (embedded null byte)")],
)
def test_a_name_that_no_file_can_have_is_no_stack_trace(tmp_path, name, message):
    with pytest.raises(RecordingError) as raised:
        check_file(tmp_path / name, "audio")
    assert message in str(raised.value) and raised.value.reason == "unreadable_audio"


def test_too_many_open_files_are_no_fault_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "a.wav").write_bytes(b"RIFF")

    def fail(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("pathlib.Path.open", fail)
    with pytest.raises(MachineError, match="Too many open files"), border("a.wav"):
        check_file(tmp_path / "a.wav", "audio")
