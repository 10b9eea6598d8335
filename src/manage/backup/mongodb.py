from itertools import islice
from pathlib import Path
from typing import Any

from bson import decode_file_iter
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection

from src.core.resources import Resources

BATCH = 1000
RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)


async def dump(resources: Resources, directory: Path) -> dict[str, int]:
    """Write the documents of each collection, as mongodump does; returns their number by collection.

    Indexes are not part of it: `initdb` creates those of the code.
    """
    directory.mkdir()
    counts = {}
    for name in sorted(await _collections(resources)):
        with (directory / f"{name}.bson").open("wb") as file:
            counts[name] = 0
            collection: AsyncCollection[Any] = resources.mongo.get_collection(name, codec_options=RAW)
            async for document in collection.find().sort("_id"):
                file.write(document.raw)
                counts[name] += 1
    return counts


async def is_empty(resources: Resources) -> bool:
    """Whether no collection has a document."""
    found = [await resources.mongo[name].find_one() for name in await _collections(resources)]
    return not any(found)


async def load(resources: Resources, directory: Path) -> None:
    """Insert all documents."""
    for path in sorted(directory.glob("*.bson")):
        collection: AsyncCollection[Any] = resources.mongo.get_collection(path.stem, codec_options=RAW)
        with path.open("rb") as file:
            documents = decode_file_iter(file, RAW)
            while batch := list(islice(documents, BATCH)):
                await collection.insert_many(batch)


async def _collections(resources: Resources) -> list[str]:
    names = await resources.mongo.list_collection_names()
    return [name for name in names if not name.startswith("system.")]
