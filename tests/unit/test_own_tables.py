"""Tables of one's own, as Excel, LibreOffice, R and pandas write them, become rows."""

from __future__ import annotations

import csv
import os
import time
import unicodedata

import pytest

from mertk.data_prep.corpora import check_corpus
from mertk.data_prep.csv_table import check
from mertk.data_prep.own.reading.table import read_own_table
from mertk.data_prep.own.reading.table_columns import read_choices
from mertk.data_prep.own.reading.table_values import seconds_text
from mertk.errors import MertkError


@pytest.fixture
def folder(tmp_path):
    """A folder with recordings that tables name."""
    for name in ("a b.wav", "fröhlich.wav", 'say "hi".wav', "sub/x.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def read(folder, content, **options):
    path = folder / "clips.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_own_table(path, **options)


def files_and_labels(reading):
    return [(os.path.relpath(row.file, reading.rows[0].place.rpartition("/")[0]), row.label) for row in reading.rows]


TWO = [("a b.wav", "happy"), ("fröhlich.wav", "sad")]


@pytest.mark.parametrize(
    "content",
    [
        "file,label\na b.wav,happy\nfröhlich.wav,sad\n",
        "\ufefffile;label\r\na b.wav;happy\r\nfröhlich.wav;sad\r\n",
        "sep=;\r\nfile;label\r\na b.wav;happy\r\nfröhlich.wav;sad\r\n",
        "file\tlabel\na b.wav\thappy\nfröhlich.wav\tsad".encode("utf-16"),
        "file,label\na b.wav,happy\nfröhlich.wav,sad\n".encode("utf-16-le"),
        "File|EMOTION|\na b.wav|happy|\nfröhlich.wav|sad|\n\n|||\n",
        "file;label\ra b.wav;happy\rfröhlich.wav;sad\r".encode("cp1252"),
        '"","Path","Emotion"\n"1","a b.wav","happy"\n"2","fröhlich.wav","sad"\n',
        '"path" "emotion"\n"1" "a b.wav" "happy"\n"2" "fröhlich.wav" "sad"\n',
        ",Unnamed: 0,filename,emotion\n0,0,a b.wav,happy\n1,1,fröhlich.wav,sad\n",
        "label , FILE_NAME\nhappy , a b.wav\nsad,fröhlich.wav\n",
        "file,label\na b.wav,happy,\nfröhlich.wav,sad,\n",
        "Table 1,,\nfile,label,\na b.wav,happy,\nfröhlich.wav,sad,\n",
        "\n\nfile,label\na b.wav,happy\nfile,label\nfröhlich.wav,sad,,,\n",
        'label,text,file\nhappy,"one, two\nthree ""four""", "a b.wav"\nsad,,fröhlich.wav\n',
    ],
    ids=["plain", "excel", "sep", "unicode-text", "utf16-le", "bars", "windows-1252", "r", "r-write-table", "pandas"]
    + ["order", "longer", "numbers", "repeated", "quoted"],
)
def test_a_table_is_read_as_programs_write_it(folder, content):
    assert files_and_labels(read(folder, content)) == TWO


def test_what_is_taken_on_trust_is_told(folder):
    reading = read(folder, "file;label;age\r\na b.wav;hé;3\r\nfröhlich.wav\r\n".encode("cp1252"))
    assert reading.told[0].endswith("2 rows, separated by semicolons: file from file, label from label")
    assert reading.told[1:] == ["columns not used: age"]
    encoding, short = reading.warnings
    assert "no UTF-8 and was read as Windows-1252" in encoding and "hé" in encoding
    assert short.startswith("clips.csv:3 ends before the last column")
    assert read(folder, "file,label\na b.wav,NA\n").told[1:] == ["taken as no value: NA in label (1)"]
    assert not read(folder, "file,label\na b.wav,怒\n".encode("gb18030"), encoding="gb18030").warnings


def test_other_names_of_columns(folder):
    head = "Clip ID,Wav Path,Emotion,Spk,Dialogue_ID,Transcript,onset,offset,Split,Fold"
    row = read(folder, f"{head}\nu1,a b.wav,happy,s1,d1,oh  well,0.5,2,dev,3\n").rows[0]
    assert (row.id, row.file.name, row.label, row.speaker, row.session) == ("u1", "a b.wav", "happy", "s1", "d1")
    assert (row.text, row.start, row.end, row.part, row.fold) == ("oh well", "0.5", "2", "dev", "3")
    row = read(folder, "Utterance,Utterance_ID,file,label\noh,3,a b.wav,happy\n").rows[0]
    assert (row.text, row.id) == ("oh", "3")
    chosen = read_choices(["file=Datei", "label=Gefühl", "speaker="])
    row = read(folder, "Datei;Gefühl;Speaker\na b.wav;froh;1\n", columns=chosen).rows[0]
    assert (row.file.name, row.label, row.speaker) == ("a b.wav", "froh", None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "file,emotion,sentiment\na,b,c\n",
            "clips.csv:1: the columns 'emotion' and 'sentiment' could both be the lab",
        ),
        (
            "audio,video,label\na,b,c\n",
            "'audio' and 'video' could both be the file; say which with --columns file=",
        ),
        ("file,label,label\na,b,c\n", "'label' and 'label' are called alike"),
        (
            "file,utterance,label\na,b,c\n",
            "the column 'utterance' could be the id or the text; .* id=utterance or te",
        ),
        ("file;klasse\na;b\n", "no column is called as label might be .*There is file, klasse.*--columns label=COLUMN"),
        ("a.wav,happy\nb.wav,sad\n", "no column is called as file and label might be .*There is a.wav, happy"),
        ("file;x,label\na;b,c\n", "separated by commas or semicolons, which cannot be told"),
        (
            "file,label\na.wav;happy\nb.wav;sad\n",
            "clips.csv:2: the names of the columns are separated by commas, but n",
        ),
        ("", "the file is empty"),
        (" \n\n", "the file is empty"),
        ("file,label\n\n", "there is no row below the names of the columns"),
        (b"PK\x03\x04rest", "this is a workbook, .*; save it as CSV"),
        (b"file,label\na.wav,\0\n", "clips.csv:2: a zero byte"),
        ("<!DOCTYPE html>\n", "this is a web page"),
        ("file,label\na b,happy\n", "none of its files is there, but a b.wav is; add --ending .wav"),
        ("file,label\nx.wav,happy\n", "none of its files is there: .* below .*/sub; add --root"),
    ],
)
def test_a_table_at_fault_as_a_whole_is_refused(folder, content, message):
    with pytest.raises(MertkError, match=message):
        read(folder, content)


def test_wrong_options_and_places_are_refused(folder):
    table = "file,label\na b.wav,happy\n"
    for options, message in [
        ({"encoding": "utf-9"}, "--encoding utf-9: there is no such encoding"),
        ({"root": folder / "none"}, "--root .*none: there is no such folder"),
        ({"columns": {"label": "labl"}}, "--columns label=labl: no column is called 'labl'; .* did you mean label"),
    ]:
        with pytest.raises(MertkError, match=message):
            read(folder, table, **options)
    for words, message in [(["label"], "expected MEANING=COLUMN"), (["lable=x"], "did you mean label")]:
        with pytest.raises(MertkError, match=message):
            read_choices(words)
    with pytest.raises(MertkError, match="this is a folder"):
        read_own_table(folder)
    with pytest.raises(MertkError, match="does not exist"):
        read_own_table(folder / "none.csv")


def test_faults_of_rows_are_theirs_alone(folder):
    """A quote that is never closed, or closes rows later, would take in what is between."""
    rows = read(
        folder,
        'file,label,start,text\na b.wav,happy,0,"oh\nsub/x.wav,sad,0,bye"\na b.wav,a,0,"b"c\na b.wav,a,0,x,y\n'
        'http://x/a.wav,a,0,\na b.wav,a,soon,\n,a,0,\na b.wav,a,0,"never\nsub/x.wav,sad,1:02,5\n',
    ).rows
    assert [row.place.rpartition(":")[2] for row in rows] == list("23456789") + ["10"]
    expected = [
        "a quote in it is not closed", None, "its quotes do not match", "5 values, expected 4; put what has commas",
        "is on another machine", "start: got 'soon', expected seconds", "no file is named", "its quotes do not match",
        None,
    ]  # fmt: skip
    for row, part in zip(rows, expected, strict=True):
        assert row.fault is None if part is None else part in row.fault
    assert (rows[1].label, rows[1].text, rows[1].fault) == ("sad", 'bye"', None)


def test_quotes_that_tables_with_tabs_do_not_mean(folder):
    reading = read(folder, 'file\tlabel\ttext\na b.wav\tsad\t"oh\nsub/x.wav\tsad\t"a" b\n')
    assert [row.text for row in reading.rows] == ['"oh', '"a" b']
    assert "taken as they stand" in reading.warnings[0]
    assert read(folder, 'file\tlabel\ttext\na b.wav\tsad\t"oh ""no"""\n').rows[0].text == 'oh "no"'


def test_names_of_files_from_other_systems(folder):
    apart = unicodedata.normalize("NFD", "fröhlich.wav")
    (folder / "caf\udce9.wav").touch()
    names = ["sub\\x.wav", apart, (folder / "a b.wav").as_uri(), str(folder / "sub/x.wav"), "./sub/../a b.wav"]
    found = [row.file for row in read(folder, "file;label\n" + "".join(f"{name};a\n" for name in names)).rows]
    assert [path.name for path in found] == ["x.wav", "fröhlich.wav", "a b.wav", "x.wav", "a b.wav"]
    assert all(path.exists() and path.is_absolute() for path in found)
    for name in ("caf\udce9.wav", "fröhlich.wav"):
        content = name.encode("utf-8", "surrogateescape") if "\udce9" in name else name.encode("cp1252")
        (row,) = read(folder, b"file,label\n" + content + b",h\xe9\n").rows
        assert (row.file.name, row.file.exists(), row.label) == (name, True, "hé")
    (row,) = read(folder, 'file,label\n"say ""hi"".wav",a\n').rows
    assert row.file.exists()
    assert read(folder / "sub", "file,label\na b.wav,happy\n", root=folder).rows[0].file == folder / "a b.wav"
    assert not read(folder, f"file,label\na b.wav,a\n{'x' * 5000},a\n").rows[1].fault


def test_names_without_ending(folder):
    rows = read(folder, "file,label\na b,a\nsub/x.wav,b\n", ending=".wav").rows
    assert [row.file.name for row in rows] == ["a b.wav", "x.wav"] and all(row.file.exists() for row in rows)


def test_paths_of_another_machine(folder):
    table = "file;label\nC:\\Users\\Eve\\sub\\x.wav;a\n/home/eve/fröhlich.wav;b\n\\\\server\\none.wav;c\n"
    with pytest.raises(MertkError, match=r"as they lie on another machine, C:.*; add --root"):
        read(folder, table)
    found = [row.file for row in read(folder, table, root=folder).rows]
    assert found[:2] == [folder / "sub/x.wav", folder / "fröhlich.wav"] and not found[2].exists()


def test_files_below_home(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert read(folder / "sub", "file,label\n~/a b.wav,happy\n").rows[0].file == folder / "a b.wav"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.5", "1.5"),
        ("1,50", "1.5"),
        ("0", "0"),
        (".5 s", "0.5"),
        ("250ms", "0.25"),
        ("1e-3", "0.001"),
        ("2:03", "123"),
        ("1:02:03,25", "3723.25"),
        ("75:30", "4530"),
        ("0 days 00:00:01.500000", "1.5"),
        ("0 days", "0"),
        ("1 days, 0:00:01", "86401"),
    ],
)
def test_times(text, seconds):
    assert seconds_text(text) == seconds


NO_TIMES = ("abc", "1:75", "1.234,5", "00:00:01:12", ":", "NaT", "1e999999999", "-1 days +23:59:59")


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match="expected seconds"):
        seconds_text(text)


def test_durations_and_milliseconds(folder):
    row = read(folder, "file,label,start_ms,duration (ms)\na b.wav,a,1500,500\n").rows[0]
    assert (row.start, row.end) == ("1.5", "2")
    reading = read(folder, "file,label,duration\na b.wav,a,3\n")
    assert (reading.rows[0].end, reading.told[1]) == (None, "columns not used: duration")


def test_many_rows_take_seconds(folder):
    with (folder / "clips.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "label", "speaker", "text"))
        writer.writerows(("sub/x.wav", "happy", f"s{row % 50}", f'so "far", {row}') for row in range(30_000))
    begin = time.process_time()
    assert len(read_own_table(folder / "clips.csv").rows) == 30_000
    assert time.process_time() - begin < 6


def test_the_doctor_looks_into_a_table(folder):
    path = folder / "clips.csv"
    path.write_text("file,label\na b.wav,happy\nnone.wav,sad\n")
    assert check(path).status == "warn" and f"1 of 2 rows at fault, as {path}:3" in check(path).told
    path.write_text("file\na b.wav\n")
    assert check(path).status == "FAIL"
    path.write_text("file,label\na b.wav,happy\n")
    assert check_corpus(path) == check(path) == ("ok", "corpus", f"{path}: 1 rows")
