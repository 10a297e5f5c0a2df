"""Tables of results on a terminal that is narrower than they are."""

from mertk.report.formatting import markdown_table
from mertk.report.terminal import turn_wide_tables

HEADER = ["experiment", *(f"metric {number}" for number in range(12))]


def rows(*names):
    return [[name, *(f"{10 * row + column}.00" for column in range(12))] for row, name in enumerate(names)]


def test_what_fits_stays():
    text = f"before\n\n{markdown_table(HEADER, rows('a', 'b|c'))}\n\n- after"
    assert turn_wide_tables(text, 500) == text


def test_a_wide_table_is_turned():
    told = turn_wide_tables(f"before\n\n{markdown_table(HEADER, rows('a', 'b|c'))}\n\n- after", 100)
    assert max(map(len, told.splitlines())) <= 100
    assert told.startswith("before\n\n| experiment |") and told.endswith("| 11.00 | 21.00 |\n\n- after")
    assert "b\\|c" in told


def test_long_names_stand_above():
    names = ["small " + "x" * 90, "frozen " + "y" * 90]
    told = turn_wide_tables(markdown_table(HEADER, rows(*names)), 100)
    assert told.startswith(f"experiment 1: {names[0]}\nexperiment 2: {names[1]}\n\n| experiment |     1 |     2 |")


def test_what_turning_does_not_help_stays():
    table = markdown_table(HEADER, rows(*map(str, range(40))))
    assert turn_wide_tables(table, 100) == table
