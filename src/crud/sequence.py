from contextlib import suppress
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from src.core.stores.documents import Documents


class SequenceCRUD:
    """Counters in MongoDB, for numbers that people read: each is handed out once, and a crash may leave a gap."""

    def __init__(self, documents: Documents) -> None:
        self.counters = documents.database["sequences"]

    async def get_next_sequence(self, name: str) -> int:
        """The next number of this name, from 1; no two callers ever get the same."""
        counter = await self._increase(name)
        if counter is None:
            # An increase that also inserts is not atomic on every server; inserting first is.
            with suppress(DuplicateKeyError):  # somebody else did
                await self.counters.insert_one({"_id": name, "value": 0})
            counter = await self._increase(name)
        if counter is None:
            raise RuntimeError(f"The counter {name!r} was deleted meanwhile.")
        return int(counter["value"])

    async def _increase(self, name: str) -> dict[str, Any] | None:
        return await self.counters.find_one_and_update(
            {"_id": name}, {"$inc": {"value": 1}}, return_document=ReturnDocument.AFTER
        )
