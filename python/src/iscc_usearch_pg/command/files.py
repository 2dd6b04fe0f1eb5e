"""Files of codes: their columns, and their content as data of COPY."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

CHUNK = 1 << 18


class FileError(Exception):
    """A file that cannot be read as what it seems to be."""


@dataclass
class TextFile:
    """Values with a delimiter between them; the server reads them."""

    path: Path
    delimiter: str
    size: int

    def columns(self) -> list[str]:
        with self._open() as file:
            line = file.readline().decode("utf-8-sig", errors="replace")
        names = next(csv.reader([line], delimiter=self.delimiter), [])
        if not names or not all(name.isprintable() and name.strip() for name in names):
            raise FileError(f'{self.path}: the first line does not name the columns; use --columns, as in "id,code"')
        return [name.strip() for name in names]

    def _open(self) -> IO[bytes] | gzip.GzipFile:
        return gzip.open(self.path) if self.path.suffix == ".gz" else self.path.open("rb")

    def chunks(self, progress: Callable[[int], None]) -> Iterator[bytes]:
        """The content; `progress` is told how many bytes of the file have been read since the last time."""
        with self.path.open("rb") as raw:
            content = gzip.GzipFile(fileobj=raw) if self.path.suffix == ".gz" else raw
            before = 0
            while chunk := content.read(CHUNK):
                yield chunk
                progress(raw.tell() - before)
                before = raw.tell()


@dataclass
class ParquetFile:
    """Rows of a Parquet file; `size` is their number."""

    path: Path
    file: Any
    size: int

    def columns(self) -> list[str]:
        names: list[str] = self.file.schema_arrow.names
        return names

    def rows(self, progress: Callable[[int], None]) -> Iterator[list[Any]]:
        import pyarrow as pa

        # A code may also be a list of bytes.
        is_bytes = [
            (pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)) and kind.value_type == pa.uint8()
            for kind in self.file.schema_arrow.types
        ]
        for batch in self.file.iter_batches(batch_size=10_000):
            columns = [
                [None if value is None else bytes(value) for value in column.to_pylist()] if yes else column.to_pylist()
                for column, yes in zip(batch.columns, is_bytes, strict=True)
            ]
            yield from map(list, zip(*columns, strict=True))
            progress(batch.num_rows)


def open_file(name: str) -> TextFile | ParquetFile:
    """A file by its name's ending."""
    path = Path(name)
    if not path.is_file():
        raise FileError(f"{name}: no such file")
    match [suffix.lower() for suffix in path.suffixes]:
        case [*_, ".tsv"] | [*_, ".tsv", ".gz"]:
            return TextFile(path, "\t", path.stat().st_size)
        case [*_, ".csv"] | [*_, ".csv", ".gz"]:
            return TextFile(path, ",", path.stat().st_size)
        case [*_, ".parquet"]:
            return _open_parquet(path)
    raise FileError(f"{name}: a file of codes is .tsv, .csv, .tsv.gz, .csv.gz, .parquet or .usearch")


def _open_parquet(path: Path) -> ParquetFile:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ModuleNotFoundError:
        raise FileError(f"{path}: needs pyarrow: pip install 'iscc-usearch-pg[parquet]'") from None
    try:
        file = parquet.ParquetFile(path)
    except pa.ArrowInvalid as why:
        raise FileError(f"{path}: {why}") from why
    return ParquetFile(path, file, file.metadata.num_rows)
