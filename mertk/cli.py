"""What every program has in common: help with an example, errors without a stack trace, exit codes.

Exit codes: 0 done, 1 an error the message explains, 2 wrong usage, 75 stopped on request with everything saved (run the
same command again to go on), 130 interrupted, 141 nobody reads the output.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import os
import signal
import subprocess
import sys
import traceback
import zlib
from collections.abc import Callable, Sequence

from mertk.caches import choose_caches
from mertk.errors import MertkError, first_line
from mertk.file_names import printable
from mertk.journal import journal, note
from mertk.library_warnings import told_briefly
from mertk.parser import Parser, called
from mertk.screen import tell

#: exit code of work that was asked to stop (SIGTERM, SIGUSR1), saved its state and goes on when it is started again:
#: "temporary failure, try again", the EX_TEMPFAIL of sysexits
PREEMPTED = 75
#: exit codes, as a shell has them, of work that was asked to stop and had not saved where it is
STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGUSR1)

#: environment variable: file that the first process of a launch makes when it tells of an error; the others keep silent
FIRST_ERROR = "MERTK_FIRST_ERROR"

#: control characters that a message may use
LAYOUT = "\n\t"

#: reasons of a write that fails because there is no room
FULL = (errno.ENOSPC, errno.EDQUOT)


def make_parser(description: str | None, example: str, program_name: str | None = None) -> Parser:
    """A parser whose help keeps the lines of `description`, where they fit, and ends with `example`.

    Args:
        description: what the program does; usually the module's docstring.
        example: one or more command lines.
        program_name: how the program is called; by default as the user did: `mertk NAME`, or `python -m` and the
            caller's module.
    """
    if program_name is None:
        caller = sys._getframe(1).f_globals.get("__spec__")
        program_name = called() or (f"python -m {caller.name}" if caller else None)
    indented = "\n".join(f"  {line}" for line in example.strip("\n").splitlines())
    return Parser(prog=program_name, description=description and description.strip(), epilog=f"example:\n{indented}")


def add_trust_argument(parser: Parser) -> None:
    """The option of programs that load models which may come from elsewhere."""
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="MODULE",
        help="module or package, besides mertk, whose classes a model may be made of; its code is run",
    )


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of programs that start processes: which engine, and on which machines."""
    parser.add_argument("--engine", metavar="NAME|YAML", help="how processes share the training; as their number needs")
    parser.add_argument("--offload", action="store_true", help="DeepSpeed: state (ZeRO-3: weights too) in CPU memory")
    parser.add_argument("--num_machines", type=int, metavar="N", help="that train together (default: 1)")
    parser.add_argument("--machine_rank", type=int, metavar="N", help="of several machines, which this is, from 0")
    parser.add_argument("--main_process_ip", metavar="ADDRESS", help="of the machine of rank 0")
    parser.add_argument("--main_process_port", type=int, metavar="PORT", help="free there (default: 29500)")


def share(text: str) -> float:
    """Type of an option that says how much of something, from 0 to 1."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, got {text}")


def whole_numbers(text: str) -> list[int]:
    """Numbers from 0, separated by blanks or commas."""
    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() for word in words):
        raise argparse.ArgumentTypeError(f'got {text!r}, expected whole numbers such as "1 2 3"')
    return [int(word) for word in words]


def positive_int(text: str) -> int:
    """A whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a positive number")
    return int(text)


def count(text: str) -> int:
    """A whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number from 0")
    return int(text)


def port(text: str) -> int:
    """A number of a port."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number from 1 to 65535")
    return int(text)


def positive_float(text: str) -> float:
    """A number above 0."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"got {text!r}, expected a positive number")


def float_from_zero(text: str) -> float:
    """A number from 0."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"got {text!r}, expected a number from 0")


def positive_or_auto(text: str) -> int:
    """`auto` as 0, or a positive number."""
    if text == "auto":
        return 0
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a positive number or auto")
    return int(text)


def program(main: Callable[[list[str] | None], int]) -> Callable[[list[str] | None], int]:
    """Decorate `main(argv) -> exit code` so that what the user can mend ends in one message and the right exit code.

    Anything else keeps its stack trace, since it is a fault of ours; in a stage the trace is in the log, and the screen
    says where.
    """

    @functools.wraps(main)
    def run(argv: list[str] | None = None) -> int:
        with contextlib.suppress(AttributeError, ValueError):  # not the text file that Python opened
            # The name of a file may hold what the terminal's encoding has not; stderr escapes it already.
            sys.stdout.reconfigure(errors="backslashreplace")
        choose_caches()
        # Who calls from Python keeps the warnings of the process as they are.
        brief = told_briefly(_is_first_to_warn) if argv is None else contextlib.nullcontext()
        try:
            with brief:
                code = main(argv)
            sys.stdout.flush()
            return code
        except MertkError as error:
            return _complain(str(error), error.exit_code, error.trace)
        except KeyboardInterrupt:
            if _is_first_to_fail():
                tell("interrupted")
            return 130
        except BrokenPipeError:
            # The reader (`| head`) has gone; the interpreter's own flush at exit must not complain about it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except OSError as error:
            if error.errno in FULL:
                where = error.filename or "a file"
                return _complain(f"no space left to write {where}; older files are intact. Make room and run again.")
            if "usable temporary directory" in str(error):  # of the standard library
                return _complain(f"{error.strerror}; make room there, or set TMPDIR to a folder that can be written.")
            if error.filename is not None:
                return _complain(f"{error.filename}: {error.strerror or error}")
            return _tell_fault(error)
        except Exception as error:
            return _tell_fault(error)

    return run


def run_child(command: Sequence[str]) -> int:
    """Run a command, let it end in its own way on Ctrl-C or a request to stop, and give its exit code.

    `subprocess.call` would kill it a quarter of a second after Ctrl-C, in the middle of putting its files in order.

    Raises:
        MertkError: the command cannot be started.
    """
    sys.stdout.flush()
    try:
        child = subprocess.Popen(list(command))
    except OSError as error:
        raise MertkError(f"{command[0]}: cannot be started ({error.strerror}).") from error
    # The terminal sends Ctrl-C to the child too; a request to stop reaches only this process and is passed on.
    handlers = {signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None)}
    for number in (signal.SIGTERM, signal.SIGUSR1):
        handlers[number] = signal.signal(number, lambda received, _: child.send_signal(received))
    try:
        code = child.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def end_with_parent() -> None:
    """Ask the system to stop this process when the one that started it has gone, killed for one; Linux only.

    A shell script does not pass a request to stop on to the program that it is waiting for.
    """
    import ctypes

    set_parent_death_signal = 1  # PR_SET_PDEATHSIG
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM, 0, 0, 0)


def _complain(message: str, code: int = 1, trace: str = "") -> int:
    sys.stdout.flush()
    told = f"{_rank()}error: {printable(message, keep=LAYOUT)}"
    note(f"{trace}{told}")
    if not _is_first_to_fail():
        return code
    if trace and journal():
        told += f" (its trace is in {journal()})"
    else:
        sys.stderr.write(trace)
    tell(told)
    return code


def _tell_fault(error: Exception) -> int:
    """Say what nobody foresaw, and where its trace is; without a log the trace itself is told, by raising it.

    What follows from another process' fault must not bury that.
    """
    log = journal()
    if log is not None:
        note(traceback.format_exc())
    if not _is_first_to_fail():
        return 1
    if log is None:
        raise error
    sys.stdout.flush()
    reason = printable(f"{type(error).__name__}: {first_line(error)}")
    tell(f"{_rank()}error: {reason} (a fault of the code; its trace is in {log})")
    return 1


def _is_first_to_fail() -> bool:
    """Whether no other process of this launch has told of an error yet."""
    return _is_first("")


def _is_first_to_warn(text: str) -> bool:
    """Whether no other process of this launch has told this warning yet."""
    return _is_first(f".{zlib.crc32(text.encode('utf-8', 'replace')):08x}")


def _is_first(what: str) -> bool:
    """Whether no other process of this launch has noted the same; `mertk launch` says where to look."""
    place = os.environ.get(FIRST_ERROR)
    if not place:
        return True
    place += what
    try:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    except OSError:
        return True  # nowhere to note it: rather twice than not at all
    return True


def _rank() -> str:
    """`[process 1] ` on all processes but the first, so that one fault on all of them reads as one."""
    rank = os.environ.get("RANK", "0")
    return "" if rank == "0" else f"[process {rank}] "
