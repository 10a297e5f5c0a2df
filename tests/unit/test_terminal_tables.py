"""Tables of results on a terminal that is narrower than they are."""

from mertk.report.formatting import markdown_table
from mertk.report.terminal import fit_report

HEADER = ["experiment", *(f"metric {number}" for number in range(12))]


def rows(*names):
    return [[name, *(f"{10 * row + column}.00" for column in range(12))] for row, name in enumerate(names)]


def test_what_fits_stays():
    text = f"before\n\n{markdown_table(HEADER, rows('a', 'b|c'))}\n\n- after"
    assert fit_report(text, 500) == text


def test_a_wide_table_is_turned():
    told = fit_report(f"before\n\n{markdown_table(HEADER, rows('a', 'b|c'))}\n\n- after", 100)
    assert max(map(len, told.splitlines())) <= 100
    assert told.startswith("before\n\n(turned)\n| experiment |") and told.endswith("| 11.00 | 21.00 |\n\n- after")
    assert "b\\|c" in told


def test_long_names_stand_above():
    names = ["small " + "x" * 90, "frozen " + "y" * 90]
    told = fit_report(markdown_table(HEADER, rows(*names)), 100)
    assert told.startswith("experiment 1: small\n  xxx") and "(turned)\n| experiment |     1 |     2 |" in told


def test_many_rows_are_told_in_pieces():
    table = markdown_table(HEADER, rows(*map(str, range(40))))
    note, *pieces = fit_report(table, 100).split("\n\n")
    assert note == f"(in {len(pieces)} pieces)"
    assert all(piece.startswith("| experiment |") and piece.count("\n") == 41 for piece in pieces)
    assert max(len(line) for piece in pieces for line in piece.splitlines()) <= 100
    assert " ".join(pieces).count("| metric") == 12


def test_cells_that_are_too_long_are_a_list():
    told = fit_report(markdown_table(["run", "why"], [["a", "because " * 20], ["b", "no"]]), 60)
    assert told.splitlines()[:2] == ["(as a list)", "run a:"] and told.endswith("run b:\n  why: no")
    assert max(map(len, told.splitlines())) <= 60


def test_prose_is_broken_and_not_bold():
    told = fit_report("**MINIATURE: " + "word " * 40 + "**\n\n- a list\n- " + "item " * 40, 60)
    assert max(map(len, told.splitlines())) <= 60 and "*" not in told
    assert "\n  item" in told
