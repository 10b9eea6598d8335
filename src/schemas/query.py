"""What may be asked of a list: each resource declares it in one class, which checks requests and documents itself.

class InvoiceQuery(PageQuery):
    sort: Annotated[SafeStr, SortBy("create_time", "number")] = ""
    keyword: Annotated[SafeStr, SearchIn("number", "customer")] = ""
    status: InvoiceStatus | None = None              # ?status=paid
    due_at__lt: UtcDatetime | None = None                 # ?dueAt[lt]=2026-01-01T00:00:00Z

Whatever it does not name is answered with 422. The operators are those of `src/core/query.py`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel, to_snake
from pydantic_core import CoreSchema

from src.core.query import QuerySpec, Total, split_filter
from src.schemas.base import BaseRequest, SafeStr

MAXIMUM_PAGE = 1_000_000
MAXIMUM_PAGE_SIZE = 100
MAXIMUM_IDS = 1000


@dataclass(frozen=True, slots=True)
class SortBy:
    """Marks `sort` with the fields that a resource may be ordered by, which should have an index each."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string whose keys are all known."""
        return handler(Annotated[source, Field(max_length=200), AfterValidator(self._check)])

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Says which keys there are."""
        keys = ", ".join(f"`{to_camel(name)}`" for name in self.names)
        return {**handler(schema), "description": f"One or more of {keys}, separated by commas; `-` for descending."}

    def _check(self, value: str) -> str:
        names = [key.removeprefix("-") for key in keys_of(value)]
        for name in names:
            if name not in self.names:
                raise ValueError(f"cannot sort by {name}")
            if names.count(name) > 1:
                raise ValueError(f"cannot sort by {name} twice")
        return value


@dataclass(frozen=True, slots=True)
class SearchIn:
    """Marks `keyword` with the fields that it is looked for in."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string of bounded length."""
        return handler(Annotated[source, Field(max_length=100)])

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Says where it is looked for."""
        fields = ", ".join(f"`{to_camel(name)}`" for name in self.names)
        return {
            **handler(schema),
            "description": f"Looked for in {fields} as it stands, in any case.",
        }


@lru_cache(maxsize=1000)
def keys_of(sort: str) -> tuple[str, ...]:
    """`-createTime,name` as fields: `-create_time`, `name`."""
    return tuple(
        "-" * key.startswith("-") + to_snake(key.removeprefix("-")) for key in map(str.strip, sort.split(",")) if key
    )


def query_name(field: str) -> str:
    """The parameter of a field: `create_time__gte` is `createTime[gte]`."""
    name, _, operator = field.partition("__")
    return f"{to_camel(name)}[{operator}]" if operator else to_camel(name)


class ListQuery(BaseRequest):
    """Base of what may be asked of a list; fields that a subclass adds are filters."""

    model_config = ConfigDict(alias_generator=query_name)

    sort: Annotated[SafeStr, SortBy("create_time")] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Refuse, at import, a filter whose operator does not exist."""
        super().__pydantic_init_subclass__(**options)
        for name in cls.model_fields:
            split_filter(name)

    def spec(self) -> QuerySpec:
        """The request as the CRUD classes take it."""
        searched = next((mark.names for mark in self._marks("keyword") if isinstance(mark, SearchIn)), ())
        where = {name: getattr(self, name) for name in self.model_fields_set if name not in _NO_FILTERS}
        where = {name: value for name, value in where.items() if value is not None}
        return QuerySpec(where, keys_of(self.sort), getattr(self, "keyword", ""), searched)

    @classmethod
    def _marks(cls, field: str) -> list[Any]:
        return cls.model_fields[field].metadata if field in cls.model_fields else []


class PageQuery(ListQuery):
    """Which page of a list, by its number."""

    page: int = Field(1, ge=1, le=MAXIMUM_PAGE)
    page_size: int = Field(20, ge=1, le=MAXIMUM_PAGE_SIZE)
    total: Annotated[
        Total, Field(description="How matches are counted: `exact`, `capped` (10001 means more than 10000), `none`.")
    ] = Total.EXACT


class CursorQuery(ListQuery):
    """Which part of a list; `cursor` is the `nextCursor` of the part before, with the same filters and order."""

    cursor: Annotated[SafeStr, Field(max_length=2000)] = ""
    limit: int = Field(20, ge=1, le=MAXIMUM_PAGE_SIZE)


_NO_FILTERS = frozenset({"keyword", *PageQuery.model_fields, *CursorQuery.model_fields})
