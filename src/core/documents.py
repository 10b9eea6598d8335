import asyncio
from typing import Any

from beanie import Document, init_beanie
from pymongo.asynchronous.database import AsyncDatabase


class Documents:
    """Binds Beanie's document classes to this process's database, each when it is first needed.

    Beanie asks the server while it binds: doing so at start would keep a process down for as long as MongoDB is.
    """

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._database = database
        self._bound: set[type[Document]] = set()
        self._lock = asyncio.Lock()

    async def bind(self, model: type[Document]) -> None:
        """Make the class usable; indexes are left to `create_indexes`.

        Raises:
            PyMongoError: No server answers.
        """
        if model in self._bound:
            return
        async with self._lock:
            if model not in self._bound:
                await init_beanie(self._database, document_models=[model], skip_indexes=True)
                self._bound.add(model)

    async def create_indexes(self, *models: type[Document]) -> None:
        """Create the indexes that the classes declare; part of a deployment, not of every start."""
        await init_beanie(self._database, document_models=list(models))
