"""Faces are found, real and drawn ones, and followed without a jump."""

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest

from mertk.errors import MertkError
from mertk.features import face_weights
from mertk.features.face_boxes import overlap
from mertk.features.face_detector import FaceDetector
from mertk.features.face_track import HELD_PICTURES, LOOK_AGAIN_PICTURES, FaceTrack, worth
from tests.faces import REAL_BOX, drawn_picture, real_picture, scene


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


def centre(box):
    return (box[:2] + box[2:]) / 2


def test_a_real_face_is_found_where_it_is(detector):
    boxes, sure = detector(real_picture())
    assert len(boxes) == 1 and sure[0] > 0.95
    assert overlap(REAL_BOX, boxes)[0] > 0.7


@pytest.mark.parametrize(("left", "top", "tall"), [(40, 60, 150), (300, 20, 300), (500, 250, 150), (140, -30, 540)])
def test_position_and_size_are_those_of_the_picture(detector, left, top, tall):
    boxes, _ = detector(scene(480, 720, (real_picture(), left, top, tall)))
    scale = tall / 600
    assert len(boxes) == 1
    assert overlap(REAL_BOX * scale + [left, top, left, top], boxes)[0] > 0.6


@pytest.mark.parametrize("tall", [150, 260, 320])
@pytest.mark.parametrize(("seed", "sex"), [(4, "F"), (4, "M"), (7, "M")])
def test_a_drawn_face_is_found(detector, seed, sex, tall):
    boxes, _ = detector(scene(480, 640, (drawn_picture(seed, sex), 160, 80, tall)))
    assert len(boxes) == 1
    assert np.abs(centre(boxes[0]) - [160 + tall / 2, 80 + tall / 2]).max() < 0.12 * tall
    assert 0.5 * tall < (boxes[0][2:] - boxes[0][:2]).max() < 1.1 * tall


def empty_pictures():
    random = np.random.default_rng(0)
    yield np.zeros((480, 640, 3), np.uint8)
    yield random.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    yield np.repeat(np.where(np.arange(640) // 7 % 2, 255, 0).astype(np.uint8)[None, :, None], 480, 0).repeat(3, 2)
    yield from (np.full((*size, 3), 90, np.uint8) for size in [(1, 1), (11, 400), (12, 12), (400, 13)])


def test_where_no_face_is_none_is_found(detector):
    for picture in empty_pictures():
        boxes, sure = detector(picture)
        assert boxes.shape == (0, 4) and sure.shape == (0,)
        for box in ([0, 0, 0.2, 0.2], [-90, -90, -50, -50], [0, 0, 1e9, 1e9], [3, 4, 200, 300]):
            assert detector.follow(picture, np.array(box, dtype=float)) is None


def test_the_larger_of_two_faces_is_taken_and_the_central_of_two_alike(detector):
    both = scene(480, 720, (real_picture(), 20, 100, 360), (drawn_picture(), 500, 60, 150))
    boxes, sure = detector(both)
    assert len(boxes) == 2 and chosen(boxes, sure, both)[0] < 360
    alike = scene(480, 720, (real_picture(), 0, 100, 200), (real_picture(), 260, 100, 200))
    boxes, sure = detector(alike)
    assert len(boxes) == 2 and 300 < chosen(boxes, sure, alike)[0] < 400


def chosen(boxes, sure, picture):
    """Centre of the face that is worth most."""
    return centre(boxes[np.argmax(worth(boxes, sure, picture))])


def shown_by(track, pictures):
    """Squares that are cut out (T, 4), NaN where nothing is."""
    squares = []
    for picture in pictures:
        track(picture)
        squares.append(np.full(4, np.nan) if track._shown is None else track._shown)
    return np.array(squares)


def test_a_moving_face_is_followed_and_stays_inside_without_a_jump(detector):
    lefts = np.round(150 + 130 * np.sin(np.arange(60) / 10)).astype(int)
    pictures = [scene(480, 640, (real_picture(), int(left), 60, 340)) for left in lefts]
    squares = shown_by(FaceTrack(detector, 64, 0.2), pictures)
    faces = REAL_BOX * 340 / 600 + np.stack([lefts, 0 * lefts + 60] * 2, axis=1)
    side = (faces[:, 2:] - faces[:, :2]).max()
    assert np.abs(centre(squares.T) - centre(faces.T)).max() < 0.2 * side
    assert np.abs(np.diff(squares, axis=0)).max() < np.abs(np.diff(lefts)).max() + 0.1 * side
    assert np.ptp(squares[:, 2] - squares[:, 0]) < 0.2 * side


def test_a_still_face_stays_still_in_noise(detector):
    random = np.random.default_rng(1)
    still = scene(480, 640, (real_picture(), 150, 60, 340)).astype(int)
    pictures = [np.clip(still + random.normal(0, 12, still.shape), 0, 255).astype(np.uint8) for _ in range(20)]
    squares = shown_by(FaceTrack(detector, 64, 0.2), pictures)
    assert np.abs(np.diff(squares[2:], axis=0)).max() < 0.03 * (squares[0, 2] - squares[0, 0])


def test_a_face_out_of_sight_is_shown_where_it_was_and_then_given_up(detector):
    there, wall = scene(480, 640, (real_picture(), 150, 60, 340)), scene(480, 640)
    elsewhere = scene(480, 640, (real_picture(), 400, 200, 240))
    track = FaceTrack(detector, 64, 0.2)
    first = track(there)
    assert first.shape == (64, 64, 3) and first.any()
    held = shown_by(track, [wall] * 2 + [elsewhere] * (HELD_PICTURES - 2))
    np.testing.assert_array_equal(held, held[:1].repeat(HELD_PICTURES, axis=0))
    assert not track(wall).any() and not track(wall).any()
    assert centre(shown_by(track, [elsewhere])[0])[0] > 400
    assert centre(shown_by(track, [there] * (HELD_PICTURES + 1))[-1])[0] < 350


def test_a_far_larger_face_takes_the_place_of_a_small_one_and_a_like_one_does_not(detector):
    small, large = (real_picture(), 10, 20, 130), (real_picture(), 300, 60, 400)
    track = FaceTrack(detector, 64, 0.2)
    before = shown_by(track, [scene(480, 640, small)] * 2 + [scene(480, 640, small, large)] * (LOOK_AGAIN_PICTURES - 3))
    assert (centre(before.T)[0] < 150).all()
    after = shown_by(track, [scene(480, 640, small, large)] * 5)
    assert centre(after[-1])[0] > 350 and np.abs(np.diff(after[-2:], axis=0)).max() < 10
    alike = scene(480, 640, (real_picture(), 0, 100, 300), (real_picture(), 300, 80, 330))
    track = FaceTrack(detector, 64, 0.2)
    track(alike[:, :290])
    squares = shown_by(track, [alike] * (2 * LOOK_AGAIN_PICTURES))
    assert (centre(squares.T)[0] < 290).all()


def test_the_margin_is_room_around_the_face_and_black_beyond_the_picture(detector):
    picture = real_picture()[100:, 150:]  # the face begins at the edges
    tight, wide = (FaceTrack(detector, 100, margin)(picture) for margin in (0.0, 0.5))
    assert not wide[:15, :15].any() and wide[30:, 30:].any(axis=2).mean() > 0.9
    inner = wide[25:75, 25:75].astype(float)
    assert np.abs(inner - tight[::2, ::2]).mean() < 12


def test_without_the_package_or_with_other_weights_one_message_says_what_to_do(monkeypatch):
    monkeypatch.setitem(face_weights.DIGESTS, "rnet", "0" * 64)
    with pytest.raises(MertkError, match=r"rnet\.lz4: weights of mtcnn .*expected 000000000000; .* mtcnn==1"):
        FaceDetector()

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(MertkError, match=r"package mtcnn, which is not installed; .*pip install .*\[face\]"):
        FaceDetector()
