"""Which file and frame a data-block shows: what Blender counts in four ways becomes one."""

from __future__ import annotations

import bpy
import pytest

from expnet.expnet_addon.scene.footage import footage_of, numbered, sequence_pattern
from expnet.model.errors import InputError


@pytest.fixture
def sequence(grey_images):
    """Six images, numbered 11 to 16."""
    return grey_images(range(11, 17))


def image_user(image, start=1, offset=0, duration=100):
    """Return the timing of an image as a camera's background has it."""
    camera = bpy.data.cameras.new("camera")
    background = camera.background_images.new()
    background.source, background.image = "IMAGE", image
    user = background.image_user
    user.frame_start, user.frame_offset, user.frame_duration = start, offset, duration
    return user


class TestMovieClip:
    def test_of_a_movie(self, empty_scene, grey_movie):
        clip = bpy.data.movieclips.load(str(grey_movie))
        clip.frame_start = 101
        footage = footage_of(clip)
        assert (footage.kind, footage.path, footage.size) == ("movie", str(grey_movie), (64, 48))
        assert (footage.first, footage.count, footage.start_frame) == (0, 8, 101)
        assert footage.fps == pytest.approx(25)
        assert [footage.source_frame(frame) for frame in (50, 101, 104, 999)] == [0, 0, 3, 7]

    def test_of_a_movie_that_starts_later(self, empty_scene, grey_movie):
        clip = bpy.data.movieclips.load(str(grey_movie))
        clip.frame_offset = 3
        footage = footage_of(clip)
        assert (footage.first, footage.count) == (3, 5)
        assert footage.source_frame(1) == 3

    def test_of_a_sequence_starts_at_the_file_that_was_opened(self, empty_scene, sequence):
        footage = footage_of(bpy.data.movieclips.load(str(sequence[2])))
        assert footage.kind == "sequence"
        assert (footage.first, footage.count) == (13, 4)
        assert footage.still(2) == str(sequence[3])

    def test_has_no_still_in_a_movie(self, empty_scene, grey_movie):
        with pytest.raises(InputError, match="is a movie"):
            footage_of(bpy.data.movieclips.load(str(grey_movie))).still(1)


class TestImage:
    def test_is_one_file_at_all_times(self, empty_scene, sequence):
        footage = footage_of(bpy.data.images.load(str(sequence[0])))
        assert (footage.kind, footage.count, footage.size) == ("image", 1, (64, 48))
        assert footage.still(1) == footage.still(50) == str(sequence[0])

    def test_sequence_counts_files_from_one(self, empty_scene, sequence):
        """Blender shows file 1 + offset at an image's first frame, whichever file was opened."""
        image = bpy.data.images.load(str(sequence[0]))
        image.source = "SEQUENCE"
        footage = footage_of(image, image_user(image, start=5, offset=11))
        assert (footage.first, footage.count, footage.start_frame) == (12, 5, 5)
        assert footage.still(5) == str(sequence[1])

    def test_sequence_is_as_long_as_its_user_says(self, empty_scene, sequence):
        image = bpy.data.images.load(str(sequence[0]))
        image.source = "SEQUENCE"
        assert footage_of(image, image_user(image, offset=10, duration=3)).count == 3

    def test_movie(self, empty_scene, grey_movie):
        image = bpy.data.images.load(str(grey_movie))
        footage = footage_of(image, image_user(image, start=10, offset=2))
        assert (footage.kind, footage.first, footage.count) == ("movie", 2, 6)
        assert footage.source_frame(11) == 3

    def test_made_in_blender_has_no_file(self, empty_scene):
        with pytest.raises(InputError, match="save it"):
            footage_of(bpy.data.images.new("painted", 8, 8))

    def test_whose_file_is_gone(self, empty_scene, sequence):
        image = bpy.data.images.load(str(sequence[0]))
        image.filepath = "//gone.png"
        with pytest.raises(InputError, match="gone.png"):
            footage_of(image)


def test_other_data_is_no_footage(empty_scene):
    with pytest.raises(InputError, match="neither"):
        footage_of(bpy.data.meshes.new("mesh"))


class TestPattern:
    @pytest.mark.parametrize(
        "path, pattern, number",
        [
            ("/a/shot_0012.png", "/a/shot_####.png", 12),
            ("/a/7.exr", "/a/#.exr", 7),
            ("/v2/take3_v1_099.jpg", "/v2/take3_v1_###.jpg", 99),
            ("/a/100%_01.png", "/a/100%_##.png", 1),
        ],
    )
    def test_and_back(self, path, pattern, number):
        assert sequence_pattern(path) == (pattern, number)
        assert numbered(pattern, number) == path

    def test_grows_past_its_digits(self):
        assert numbered("/a/f_##.png", 120) == "/a/f_120.png"

    def test_needs_a_number(self):
        with pytest.raises(InputError, match="no frame number"):
            sequence_pattern("/a/portrait.png")
