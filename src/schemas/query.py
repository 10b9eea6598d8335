from typing import Annotated

from fastapi import Query
from pydantic import Field

from src.schemas.base import BaseRequest, Text

MAXIMUM_PAGE = 1_000_000
MAXIMUM_PAGE_SIZE = 100
MAXIMUM_IDS = 1000


class PageQuery(BaseRequest):
    """Which page of a list, in which order, and what its rows have to contain."""

    page: int = Field(1, ge=1, le=MAXIMUM_PAGE)
    page_size: int = Field(20, ge=1, le=MAXIMUM_PAGE_SIZE)
    sort: Annotated[Text, Field(max_length=200, description="Keys, `-` for descending: `-createTime,name`.")] = ""
    keyword: Annotated[Text, Field(max_length=100, description="Looked for as it stands: `%` and `_` too.")] = ""


PageQueryDep = Annotated[PageQuery, Query()]
