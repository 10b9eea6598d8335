from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from src.utils.language import Language, preferred_language


async def get_language(connection: HTTPConnection) -> Language | None:
    """The language that the client prefers, of those that e-mails are written in; None if it names none of them."""
    return preferred_language(connection.headers.get("accept-language", ""))


LanguageDep = Annotated[Language | None, Depends(get_language)]
