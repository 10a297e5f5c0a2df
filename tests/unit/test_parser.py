"""The parser of every program."""

from __future__ import annotations

from pathlib import Path

import pytest

from mertk.cli import make_parser, program
from mertk.parser import Parser, called_as, parser_of


@pytest.fixture
def parser():
    parser = make_parser("Does.", "mertk some", "mertk some")
    parser.add_argument("--model", nargs="+", type=Path, default=[])
    parser.add_argument("--clip", former="--weights", metavar="WEIGHTS", help="where CLIP is")
    parser.add_argument("--kind", choices=("left", "right"), default="left", help="which one")
    parser.add_argument("--rate", type=float, default=0.0, help="in 100%% of cases")
    parser.add_argument("--sizes", nargs="+", default=["1", "2"], help="several")
    parser.add_argument("--again", action="store_true", help="once more")
    parser.add_argument("files", nargs="*", type=Path, help="of yours")
    return parser


def refuse(parser, capsys, *words):
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(list(words))
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ("a.wav b.wav --again", "a.wav b.wav"),
        ("a.wav --again b.wav --kind right c.wav", "a.wav b.wav c.wav"),
        ("--again a.wav --kind right", "a.wav"),
        ("a.wav --kind right -- --again", "a.wav --again"),
        ("--model M --again a.wav - b.wav", "a.wav - b.wav"),
        ("--again -- -odd.wav --odd", "-odd.wav --odd"),
        ("--again", ""),
    ],
)
def test_files_stand_anywhere(parser, words, files):
    assert parser.parse_args(words.split()).files == [Path(name) for name in files.split()]


def test_what_has_a_blank_in_it_is_no_option(parser):
    words = ["a.wav", "--clip", "-- no such", "- b.wav", "--q=d e.wav"]
    found = parser.parse_args(words)
    assert (found.clip, found.files) == ("-- no such", [Path("a.wav"), Path("- b.wav"), Path("--q=d e.wav")])


def test_words_for_which_there_is_no_place_are_wrong_usage(capsys):
    parser = make_parser("Does.", "x", "x")
    parser.add_argument("--again", action="store_true")
    assert "unexpected argument 'more'" in refuse(parser, capsys, "--again", "more")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--modle M", "unknown option --modle; did you mean --model?"),
        ("--kind=left --agian", "unknown option --agian; did you mean --again?"),
        ("--qqqq=3", "unknown option --qqqq; --help shows those there are"),
        ("--weight_of x", "unknown option --weight_of; --help"),  # the spelling that does not show is not named either
        ("-x", "unknown option -x; --help"),
        ("--kind rihgt", "argument --kind: got 'rihgt', expected left or right; did you mean right?"),
        ("--kind up", "argument --kind: got 'up', expected left or right\n"),
        ("--rate much", "argument --rate: invalid float value: 'much'"),
    ],
)
def test_what_is_mistyped_names_the_nearest(parser, capsys, words, message):
    assert f"mertk some: error: {message}" in refuse(parser, capsys, *words.split())


def test_a_mistyped_option_is_named_before_what_is_missing(capsys):
    parser = make_parser("Does.", "x", "x")
    parser.add_argument("--config", required=True)
    assert "unknown option --confg; did you mean --config?" in refuse(parser, capsys, "--confg", "a")
    assert "the following arguments are required: --config" in refuse(parser, capsys)


def test_an_earlier_spelling_is_understood_and_does_not_show(parser):
    assert parser.parse_args(["--weights", "w"]).clip == parser.parse_args(["--clip", "w"]).clip == "w"
    assert parser.parse_args(["--cl", "w"]).clip == "w"
    assert "--weights" not in parser.format_help() and "--weights" not in parser.options()


def test_defaults_show_where_there_are_any(parser):
    text = " ".join(parser.format_help().split())
    assert "which one (default: left)" in text
    assert "in 100% of cases (default: 0.0)" in text
    assert "several (default: 1 2)" in text
    assert text.count("default:") == 3


def test_the_name_is_what_the_user_typed():
    assert make_parser("", "x").prog == f"python -m {__name__}"
    with called_as("mertk train"):
        assert make_parser("", "x").prog == "mertk train"
    assert make_parser("", "x").prog == f"python -m {__name__}"


def test_the_parser_of_a_program_is_had_without_running_it():
    @program
    def main(argv=None):
        parser = make_parser("", "x")
        parser.add_argument("--needed", required=True)
        parser.parse_args(argv)
        raise RuntimeError("went on")

    parser = parser_of(main)
    assert isinstance(parser, Parser) and parser.options() == ["-h", "--help", "--needed"]
    with pytest.raises(RuntimeError):
        main(["--needed", "x"])
    with pytest.raises(AssertionError):
        parser_of(lambda argv: 0)


def test_a_description_is_filled_anew_where_it_is_wider_than_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "42")
    prose = "What it does, in some words that are wider than\nthe terminal is, with a --long-option in it."
    parser = Parser(prog="p", description=f"{prose}\n\nkinds:\n  audio  {'x' * 50}\n\nshort\nlines")
    _, body = parser.format_help().split("\n\n", 1)
    assert body.startswith(
        "What it does, in some words that are\nwider than the terminal is, with a\n--long-option in it.\n"
    )
    assert f"kinds:\n  audio  {'x' * 50}\n\nshort\nlines\n" in body
