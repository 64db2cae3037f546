"""The driver of `ImageExampleGen`: decides whether the pictures changed since they were last read."""

from __future__ import annotations

from collections.abc import Iterable

from tfx.components.example_gen.driver import FileBasedDriver
from tfx.components.example_gen.input_processor import FileBasedInputProcessor
from tfx.proto import example_gen_pb2, range_config_pb2

from components.image_example_gen.files import printable
from components.image_example_gen.options import folder_of_pattern
from components.image_example_gen.sources import find_sources
from trainer.errors import InputError


class FolderInputProcessor(FileBasedInputProcessor):
    """Resolves the span, as its base class does, and takes the fingerprint of a folder and all folders below it.

    TFX's own fingerprint adds up times and sizes of the files directly in the folder: it sees neither a rename nor what
    lies deeper.
    """

    def resolve_span_and_version(self) -> tuple[int, int | None]:
        """The span and the version to read; 0 and None where the pattern names none.

        Raises:
            InputError: No folder matches the pattern.
        """
        if not (self._is_match_span or self._is_match_date):
            return 0, None
        try:
            return super().resolve_span_and_version()
        except ValueError as error:
            patterns = ", ".join(split.pattern for split in self._splits)
            raise InputError(f"nothing in {printable(self._input_base_uri)} matches {patterns}: {error}") from error

    def get_input_fingerprint(self, span: int, version: int | None) -> str:
        """A hash of the paths, sizes and times of all files that will be read.

        Raises:
            InputError: The folder does not exist, or holds no pictures.
        """
        fingerprints = []
        for split in self._splits:
            pattern = self.get_pattern_for_span_version(split.pattern, span, version)
            fingerprints.append(find_sources(folder_of_pattern(self._input_base_uri, pattern)).fingerprint())
        return "\n".join(fingerprints)


class ImageExampleGenDriver(FileBasedDriver):
    """Runs before the cache is looked up, so that a missing folder is reported at once."""

    def get_input_processor(
        self,
        splits: Iterable[example_gen_pb2.Input.Split],
        range_config: range_config_pb2.RangeConfig | None = None,
        input_base_uri: str | None = None,
    ) -> FolderInputProcessor:
        """Returns the processor of a folder of pictures."""
        return FolderInputProcessor(input_base_uri, splits, range_config)
