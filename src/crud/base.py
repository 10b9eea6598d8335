from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from uuid import UUID

from pydantic.alias_generators import to_snake
from sqlalchemy import func, or_
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.exceptions import InvalidInputError, NotFoundError
from src.models.base import BaseModel


class PageRequest(Protocol):
    """Which page, in which order, and what its rows have to contain."""

    page: int
    page_size: int
    sort: str
    keyword: str


ModelT = TypeVar("ModelT", bound=BaseModel)


class BaseSQLModelCRUD(Generic[ModelT]):
    """Queries on one table, within the caller's transaction: nothing here commits."""

    model: ClassVar[type[Any]]
    sortable: ClassVar[tuple[str, ...]] = ("create_time",)
    searchable: ClassVar[tuple[str, ...]] = ()

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def find(self, key: UUID) -> ModelT | None:
        """The row, or None."""
        return await self.session.get(self.model, key)

    async def get(self, key: UUID) -> ModelT:
        """The row.

        Raises:
            NotFoundError: There is none.
        """
        row = await self.find(key)
        if row is None:
            raise NotFoundError(f"{self.model.__name__} not found.")
        return row

    async def list(self) -> Sequence[ModelT]:
        """All rows, oldest first."""
        rows: Sequence[ModelT] = (await self.session.exec(select(self.model).order_by(self.model.id))).all()
        return rows

    async def create(self, data: SQLModel | dict[str, Any]) -> ModelT:
        """Add a row; it is written with the transaction's next flush."""
        row: ModelT = self.model.model_validate(data)
        self.session.add(row)
        await self.session.flush()
        return row

    async def delete(self, row: ModelT) -> None:
        """Remove the row."""
        await self.session.delete(row)
        await self.session.flush()

    async def page(self, query: PageRequest) -> tuple[Sequence[ModelT], int]:
        """One page, and how many rows there are in all.

        Raises:
            InvalidInputError: `sort` names a key that is not sortable.
        """
        statement = select(self.model)
        if query.keyword:
            columns = (getattr(self.model, name) for name in self.searchable)
            statement = statement.where(or_(*(column.icontains(query.keyword, autoescape=True) for column in columns)))
        total = (await self.session.exec(select(func.count()).select_from(statement.subquery()))).one()
        ordered = statement.order_by(*self._order(query.sort))
        rows = await self.session.exec(ordered.offset((query.page - 1) * query.page_size).limit(query.page_size))
        return rows.all(), total

    def _order(self, sort: str) -> Iterator[Any]:
        """The asked order, made unique by the key at its end: pages neither repeat nor skip a row."""
        for key in filter(None, sort.split(",")):
            name = to_snake(key.removeprefix("-"))
            if name not in self.sortable:
                raise InvalidInputError("sort", f"Cannot sort by {key!r}.")
            column = getattr(self.model, name)
            yield column.desc() if key.startswith("-") else column.asc()
        yield self.model.id.asc()
