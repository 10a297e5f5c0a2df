from mertk import progress_bar as module
from mertk.progress_bar import progress


def test_items_pass_and_the_end_is_told(capsys):
    assert list(progress([1, 2, 3], description="reading")) == [1, 2, 3]
    told = capsys.readouterr().err
    assert told.startswith("reading: 3/3 in 0.0 s")
    assert told.count("\n") == 1


def test_lines_come_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(module, "LINE_SECONDS", 0.0)
    assert list(progress(iter("ab"), description="reading")) == ["a", "b"]
    assert [line.split(" in")[0] for line in capsys.readouterr().err.splitlines()] == [
        "reading: 1",
        "reading: 2",
        "reading: 2",
    ]


def test_other_processes_say_nothing(capsys):
    assert list(progress([1], show=False)) == [1]
    assert capsys.readouterr().err == ""
