"""Query parameters of lists: filters, sorting, search and pagination.

Each resource declares its parameters in one class, which validates requests and appears in the documentation:

class InvoiceQuery(PageQuery):
    sort: Annotated[SafeStr, SortBy("create_time", "number")] = ""
    keyword: Annotated[SafeStr, SearchIn("number", "customer")] = ""
    status: InvoiceStatus | None = None              # ?status=paid
    due_at__lt: UtcDatetime | None = None            # ?dueAt[lt]=2026-01-01T00:00:00Z
    customer_name: Annotated[SafeStr | None, FilterBy("customer.name__starts")] = None   # ?customerName=Ada
    include: Annotated[SafeStr, Include("customer", "lines.product")] = ""               # ?include=customer

Any other parameter is refused with 422. `src/core/list_filters.py` lists the operators. Each filter, order and search
needs an index: docs/databases.md says which.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel, to_snake
from pydantic_core import CoreSchema

from src.core.list_filters import QuerySpec, Total, nested_paths, split_filter
from src.schemas.base import BaseRequest, SafeStr

MAXIMUM_PAGE = 1_000_000
MAXIMUM_PAGE_SIZE = 100
MAXIMUM_IDS = 1000


@dataclass(frozen=True, slots=True)
class SortBy:
    """Declares the fields that `sort` accepts; each should have an index."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string that only names declared fields."""
        return handler(Annotated[source, Field(max_length=200), AfterValidator(self._check)])

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe the accepted fields."""
        keys = ", ".join(f"`{to_camel(name)}`" for name in self.names)
        description = f"One or more of {keys}, separated by commas; `-` for descending."
        return {**handler(schema), "description": description, "examples": [f"-{to_camel(self.names[0])}"]}

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
    """Declares the fields that `keyword` searches."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string of bounded length."""
        return handler(Annotated[source, Field(max_length=100)])

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe the searched fields."""
        fields = ", ".join(f"`{to_camel(name)}`" for name in self.names)
        return {
            **handler(schema),
            "description": f"Searched in {fields}, literally and ignoring case.",
            "examples": ["report"],
        }


@dataclass(frozen=True, slots=True)
class FilterBy:
    """Declares the filter of a parameter that is not named like it: one on a related row, on JSON, on a subdocument."""

    name: str

    def __post_init__(self) -> None:
        """Fail at import if the operator does not exist."""
        split_filter(self.name)


@dataclass(frozen=True, slots=True)
class Include:
    """Declares the relations that `include` accepts: `lines.product` includes `lines`."""

    paths: tuple[str, ...]

    def __init__(self, *paths: str) -> None:
        nested_paths(paths)
        object.__setattr__(self, "paths", paths)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string that only names declared relations."""
        return handler(Annotated[source, Field(max_length=200), AfterValidator(self._check)])

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe the accepted relations."""
        paths = ", ".join(f"`{path_name(path)}`" for path in self.paths)
        description = f"What to load with each row: one or more of {paths}, separated by commas."
        return {**handler(schema), "description": description, "examples": [path_name(self.paths[0])]}

    def _check(self, value: str) -> str:
        for path in keys_of(value):
            if not any(f"{allowed}.".startswith(f"{path}.") for allowed in self.paths):
                raise ValueError(f"cannot include {path}")
        return value


def path_name(path: str) -> str:
    """A path as clients write it: `lines.unit_price` is `lines.unitPrice`."""
    return ".".join(map(to_camel, path.split(".")))


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
    """Base class of list parameters; fields that a subclass adds are filters."""

    model_config = ConfigDict(alias_generator=query_name)

    sort: Annotated[SafeStr, SortBy("create_time")] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Fail at import if a filter has an unknown operator."""
        super().__pydantic_init_subclass__(**options)
        for name in cls.model_fields:
            split_filter(name)

    def spec(self) -> QuerySpec:
        """The query, as the CRUD classes take it."""
        searched = next((item.names for item in self._metadata("keyword") if isinstance(item, SearchIn)), ())
        values = {name: getattr(self, name) for name in self.model_fields_set if name not in _NO_FILTERS}
        where = {self._filter_of(name): value for name, value in values.items() if value is not None}
        include = keys_of(getattr(self, "include", ""))
        return QuerySpec(where, keys_of(self.sort), getattr(self, "keyword", ""), searched, include)

    @classmethod
    def _filter_of(cls, field: str) -> str:
        """The filter of a parameter."""
        return next((item.name for item in cls._metadata(field) if isinstance(item, FilterBy)), field)

    @classmethod
    def _metadata(cls, field: str) -> list[Any]:
        return cls.model_fields[field].metadata if field in cls.model_fields else []


class PageQuery(ListQuery):
    """Parameters of a list that is read page by page."""

    page: int = Field(1, ge=1, le=MAXIMUM_PAGE)
    """Number of the page, from 1."""
    page_size: int = Field(20, ge=1, le=MAXIMUM_PAGE_SIZE)
    """How many rows a page has."""
    total: Total = Total.CAPPED
    """How rows are counted: `capped` (10001 means more than 10000), `exact`, which may take long, or `none`."""


class CursorQuery(ListQuery):
    """Parameters of a list that is read by cursor; `cursor` is the previous response's `nextCursor`.

    A cursor is only valid with the same filters and order.
    """

    cursor: Annotated[SafeStr, Field(max_length=2000, examples=[""])] = ""
    """`nextCursor` of the previous response; empty for the first rows."""
    limit: int = Field(20, ge=1, le=MAXIMUM_PAGE_SIZE)
    """At most so many rows."""


_NO_FILTERS = frozenset({"keyword", "include", *PageQuery.model_fields, *CursorQuery.model_fields})
