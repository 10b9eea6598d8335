from contextlib import suppress
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from src.core.stores.documents import Documents


class SequenceCRUD:
    """Counters in MongoDB, for numbers that people read, such as invoice numbers. A crash may leave a gap.

    For the features that you add: nothing here uses it.
    """

    def __init__(self, documents: Documents) -> None:
        self.counters = documents.database["sequences"]

    async def get_next_sequence(self, name: str) -> int:
        """The next number of this counter, starting at 1; no two callers get the same."""
        counter = await self._increase(name)
        if counter is None:
            # An upsert that increments is not atomic on every server; inserting first is.
            with suppress(DuplicateKeyError):  # inserted by a concurrent caller
                await self.counters.insert_one({"_id": name, "value": 0})
            counter = await self._increase(name)
        if counter is None:
            raise RuntimeError(f"The counter {name!r} was deleted in the meantime.")
        return int(counter["value"])

    async def _increase(self, name: str) -> dict[str, Any] | None:
        return await self.counters.find_one_and_update(
            {"_id": name}, {"$inc": {"value": 1}}, return_document=ReturnDocument.AFTER
        )
