"""The miniature of IEMOCAP: same layout as the real corpus, decided by its seed, refusing to touch anything else."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import wave

import numpy as np
import pytest

from mertk.data_prep.synthetic import dialogue, emotion, face, iemocap, listing, movie, voice
from mertk.errors import MertkError

UTTERANCES = 20
TURN_LINE = re.compile(
    r"^\[(\d+\.\d{4}) - (\d+\.\d{4})\]\t(Ses0\d[FM]_\w+_[FM]\d{3})\t([a-z]{3})\t"
    r"\[(\d\.\d{4}), (\d\.\d{4}), (\d\.\d{4})\]$"
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    out = tmp_path_factory.mktemp("synthetic") / "miniature"
    assert iemocap.write_corpus(out, seed=7, utterances=UTTERANCES)
    return out


def read_turns(corpus):
    """Rows (dialogue, utterance, start, end, emotion, (valence, activation, dominance)), read as the real files are."""
    rows = []
    for file in sorted(corpus.glob("Session?/dialog/EmoEvaluation/Ses*.txt")):
        for line in file.read_text(encoding="utf-8").splitlines():
            match = TURN_LINE.match(line)
            assert match or not line.startswith("["), f"{file}: {line!r}"
            if match:
                start, end, *ratings = (float(match[k]) for k in (1, 2, 5, 6, 7))
                rows.append((file.stem, match[3], start, end, match[4], tuple(ratings)))
    return rows


def test_layout_is_that_of_the_real_corpus(corpus):
    for session in range(1, 6):
        folder = corpus / f"Session{session}"
        names = sorted(path.stem for path in folder.glob("dialog/EmoEvaluation/Ses*.txt"))
        assert len(names) >= 2
        assert any("impro" in name for name in names)
        assert any("script" in name for name in names)
        assert names == sorted(path.stem for path in folder.glob("dialog/transcriptions/Ses*.txt"))
        assert names == sorted(path.stem for path in folder.glob("dialog/avi/DivX/Ses*.avi"))
        assert names == sorted(path.name for path in folder.glob("sentences/wav/Ses*"))


def test_every_session_has_every_class_and_something_else(corpus):
    turns = read_turns(corpus)
    labels = [emotion.FOUR_CLASSES.get(turn[4]) for turn in turns]
    assert sum(label is not None for label in labels) == UTTERANCES
    assert len({turn[1] for turn in turns}) == len(turns)
    for session in range(1, 6):
        here = {label for label, turn in zip(labels, turns, strict=True) if turn[0].startswith(f"Ses0{session}")}
        assert here == {"neutral", "happy", "angry", "sad", None}


def test_ratings_leave_the_scale_as_in_the_real_files(corpus):
    values = {value for turn in read_turns(corpus) for value in turn[5]}
    assert min(values) == 0.5
    assert max(values) == 5.5


def test_rater_lines_agree_with_the_turn_line(corpus):
    file = next(corpus.glob("Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"))
    blocks = file.read_text(encoding="utf-8").split("\n\n")
    assert blocks[0] == "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
    for block in blocks[1:]:
        head, *raters = block.strip().splitlines()
        said = re.findall(r"^A-E\d:\tval (\d); act (\d); dom  (\d);\t\(\)$", "\n".join(raters), re.MULTILINE)
        mean = np.mean(np.array(said, dtype=float), axis=0)
        assert [float(TURN_LINE.match(head)[k]) for k in (5, 6, 7)] == pytest.approx(list(mean), abs=1e-4)
        assert sum(line.startswith("C-E") for line in raters) == 3
        assert any(line.startswith(("C-F", "C-M")) for line in raters)


def test_wav_files_are_16_khz_mono_as_long_as_their_turn(corpus):
    for name, utterance, start, end, _, _ in read_turns(corpus):
        path = corpus / f"Session{name[4]}" / "sentences" / "wav" / name / f"{utterance}.wav"
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
            assert file.getnframes() == round((end - start) * 16000)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        assert samples.std() > 50
        assert np.abs(samples.astype(int)).max() < 32767
    assert len(list(corpus.glob("Session?/sentences/wav/*/*.wav"))) == len(read_turns(corpus))


def test_pictures_open_and_cover_the_dialogue(corpus):
    import av

    ends = {}
    for name, _, _, end, _, _ in read_turns(corpus):
        ends[name] = max(end, ends.get(name, 0))
    for name, end in ends.items():
        with av.open(str(corpus / f"Session{name[4]}" / "dialog/avi/DivX" / f"{name}.avi")) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "mpeg4"
            assert abs(float(stream.average_rate) - 30000 / 1001) < 1e-3
            num_frames = sum(1 for _ in container.decode(video=0))
        assert end < num_frames * 1001 / 30000 < end + 1.0


@pytest.mark.parametrize("name", ["Ses01F_impro01", "Ses02M_script01_1"])
def test_left_half_is_the_actor_in_the_name(corpus, name):
    import av

    with av.open(str(corpus / f"Session{name[4]}" / "dialog/avi/DivX" / f"{name}.avi")) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)
    assert picture[: movie.BORDER - 2].max() < 40  # the black border
    halves = np.split(picture[movie.BORDER : movie.HEIGHT - movie.BORDER], 2, axis=1)
    rest = face.Expression(*(np.zeros(1) for _ in range(6)))
    faces = {}
    for sex in "FM":
        traits = face.draw_face(dialogue.generator(7, "face", int(name[4]), sex), sex)
        faces[sex] = face.render(traits, rest, np.ones(3))[0].astype(float)
    left, right = name[5], "M" if name[5] == "F" else "F"
    as_named = np.abs(halves[0] - faces[left]).mean() + np.abs(halves[1] - faces[right]).mean()
    swapped = np.abs(halves[0] - faces[right]).mean() + np.abs(halves[1] - faces[left]).mean()
    assert as_named < 0.8 * swapped


def test_transcripts_name_every_turn_and_hold_odd_lines(corpus):
    turns = {turn[1]: (turn[2], turn[3]) for turn in read_turns(corpus)}
    found, odd = {}, []
    for file in corpus.glob("Session?/dialog/transcriptions/Ses*.txt"):
        for line in file.read_text(encoding="utf-8").splitlines():
            match = re.match(r"^(\w+) \[(\d{3}\.\d{4})-(\d{3}\.\d{4})\]: (.+)$", line)
            if match and match[1] in turns:
                found[match[1]] = (float(match[2]), float(match[3]))
            else:
                odd.append(line)
    assert found == turns
    assert any(line.startswith("M: ") for line in odd)
    assert any("XX" in line for line in odd)


def test_scripts_have_the_same_words_in_every_session():
    texts = {}
    for one in dialogue.plan(seed=3, num_utterances=250):
        if "script02_2" in one.name:
            texts[one.session] = [turn.text for turn in one.turns]
    shortest = min(len(words) for words in texts.values())
    assert len(texts) == 5
    assert shortest > 5
    assert len({tuple(words[:shortest]) for words in texts.values()}) == 1


def test_hidden_files_and_rater_sheets_are_there_to_be_skipped(corpus):
    hidden = list(corpus.glob("Session1/dialog/EmoEvaluation/._*.txt"))
    assert hidden
    assert list(corpus.glob("Session1/dialog/avi/DivX/._*.avi"))
    assert hidden[0].read_bytes().startswith(b"\x00\x05\x16\x07")
    assert list(corpus.glob("Session1/dialog/EmoEvaluation/Categorical/*.txt"))


def test_the_seed_decides_every_byte(corpus, tmp_path):
    again = tmp_path / "again"
    iemocap.write_corpus(again, seed=7, utterances=UTTERANCES)
    assert tree(again) == tree(corpus)


def test_another_seed_gives_another_corpus():
    one, other = (dialogue.plan(seed, UTTERANCES) for seed in (1, 2))
    assert one != other
    assert dialogue.plan(1, UTTERANCES) == one


def test_the_same_miniature_is_not_made_twice(corpus, capsys):
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    assert iemocap.main(["--out", str(corpus), "--seed", "7", "--utterances", str(UTTERANCES)]) == 0
    assert "already there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before


def test_marker_counts_what_is_there(corpus):
    marker = json.loads((corpus / iemocap.MARKER).read_text(encoding="utf-8"))
    turns = read_turns(corpus)
    assert marker["turns"] == len(turns)
    assert marker["seed"] == 7
    assert marker["corpus"] == "iemocap"
    assert sum(marker["counts"].values()) == sum(marker["sessions"].values()) == UTTERANCES
    assert marker["emotions"].get("exc", 0) + marker["emotions"]["hap"] == marker["counts"]["happy"]


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert iemocap.main(["--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert str(tmp_path) in error
    assert "not empty" in error
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_too_few_utterances_are_refused(tmp_path):
    with pytest.raises(MertkError, match="at least 20"):
        iemocap.write_corpus(tmp_path / "x", utterances=19)


def test_nothing_is_left_when_it_is_interrupted(tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(movie, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        iemocap.write_corpus(tmp_path / "miniature", utterances=UTTERANCES)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(iemocap, "BYTES_PER_UTTERANCE", 10**15)
    with pytest.raises(MertkError, match="no space left"):
        iemocap.write_corpus(tmp_path / "miniature", utterances=UTTERANCES)
    assert list(tmp_path.iterdir()) == []


def test_encoders_load_as_the_real_ones_do(corpus):
    import torch
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, CLIPVisionModelWithProjection

    for name in ("wavlm", "clip"):
        assert AutoConfig.from_pretrained(corpus / "models" / name).mertk_miniature is True
    extractor = AutoFeatureExtractor.from_pretrained(corpus / "models" / "wavlm")
    assert extractor.do_normalize
    assert extractor.sampling_rate == 16000
    wavlm = AutoModel.from_pretrained(corpus / "models" / "wavlm").eval()
    with torch.no_grad():
        assert wavlm(torch.randn(1, 16000)).last_hidden_state.shape == (1, 49, 64)
    clip = CLIPVisionModelWithProjection.from_pretrained(corpus / "models" / "clip").eval()
    size = clip.config.image_size
    with torch.no_grad():
        assert clip(pixel_values=torch.randn(2, 3, size, size)).image_embeds.shape == (2, 96)


def test_every_word_that_is_said_is_a_token(corpus):
    from transformers import AutoConfig, AutoTokenizer

    bert = corpus / "models" / "bert"
    assert AutoConfig.from_pretrained(bert).mertk_miniature is True
    tokenizer = AutoTokenizer.from_pretrained(bert)
    texts = [
        line.partition("]: ")[2]
        for path in sorted(corpus.glob("Session*/dialog/transcriptions/Ses*.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("Ses") and "XX" not in line
    ]
    assert len(texts) > UTTERANCES
    assert not {token for text in texts for token in tokenizer.tokenize(text) if token[0] in "[#"}


def test_a_miniature_of_before_there_was_text_gets_its_encoder_and_keeps_the_rest(tmp_path):
    out = tmp_path / "miniature"
    assert iemocap.write_corpus(out, utterances=UTTERANCES)
    shutil.rmtree(out / "models/bert")
    listing.write_listing(out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.wav")}
    assert iemocap.write_corpus(out, utterances=UTTERANCES)
    assert (out / "models/bert/vocab.txt").is_file()
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.wav")} == before
    assert not iemocap.write_corpus(out, utterances=UTTERANCES)


def test_image_processor_fits_the_model(corpus):
    from transformers import AutoConfig, CLIPImageProcessor

    processor = CLIPImageProcessor.from_pretrained(corpus / "models" / "clip")
    size = AutoConfig.from_pretrained(corpus / "models" / "clip").image_size
    picture = np.zeros((movie.HEIGHT, movie.WIDTH // 2, 3), np.uint8)
    assert processor(picture, return_tensors="np")["pixel_values"].shape == (1, 3, size, size)


def test_arousal_is_heard():
    """Aroused speech of the same speaker has more energy above 2 kHz and a higher pitch."""
    speaker = voice.draw_voice(np.random.default_rng(0), "F")
    tilts = []
    for arousal in (-1.0, 0.0, 1.0):
        spectra = [
            np.abs(np.fft.rfft(voice.synthesise(np.random.default_rng(k), speaker, arousal, 0.0, 32000))) ** 2
            for k in range(4)
        ]
        tilts.append(np.mean([spectrum[4000:].sum() / spectrum[:4000].sum() for spectrum in spectra]))
    assert tilts[0] < tilts[1] < tilts[2]


def test_valence_is_seen():
    """A smile widens the mouth and shows teeth; the pictures of smile, rest and frown differ."""
    traits = face.draw_face(np.random.default_rng(0), "F")
    still = np.zeros(3)
    expression = face.Expression(np.array([-1.0, 0.0, 1.0]), still, still + 0.6, still, still, still)
    pictures = face.render(traits, expression, np.ones(3)).astype(float)
    mouths = pictures[:, 44:65, 20:53]
    bright = (mouths.min(axis=3) > 190).sum(axis=(1, 2))
    assert bright[2] > bright[0]
    assert bright[2] > bright[1]
    assert min(np.abs(mouths[a] - mouths[b]).mean() for a, b in ((0, 1), (1, 2), (0, 2))) > 5


def test_loudness_follows_the_speech():
    samples = np.concatenate([np.zeros(16000), 0.3 * np.sin(np.arange(16000))]).astype(np.float32)
    values = voice.loudness(samples, 30.0)
    assert values.shape == (60,)
    assert values[:29].max() < 0.01
    assert values[31:].min() > 0.9


def tree(folder):
    """Hash of every file by its path inside the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
